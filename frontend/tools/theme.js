// @ts-check
/** Makes the page light or dark, whatever the system prefers. */

const THEMES = ["dark", "light", "system"];
const DARK = "(prefers-color-scheme: dark)";
/** What each theme makes of the rules that are for dark systems. @type {Record<string, string>} */
const APPLIES = { dark: "all", light: "not all", system: DARK };

/** @type {import("./index.js").PageTool} */
export const theme = {
  name: "set_theme",
  description: "Make the page dark or light, or as the user's system has it.",
  parameters: {
    type: "object",
    properties: { theme: { type: "string", enum: THEMES } },
    required: ["theme"],
  },
  scheduling: "SILENT",
  run({ theme }) {
    const media = APPLIES[String(theme)];
    if (!media) throw new Error(`theme must be one of ${THEMES.join(", ")}`);
    for (const rule of darkRules()) rule.media.mediaText = media;
    document.documentElement.style.colorScheme = theme === "system" ? "" : String(theme);
    return { theme };
  },
};

/** @type {CSSMediaRule[] | undefined} */
let found;

/** The rules for dark systems: looked for once, while they still say so. */
function darkRules() {
  found ??= [...document.styleSheets].flatMap((sheet) =>
    [...sheet.cssRules].filter((rule) => rule instanceof CSSMediaRule && rule.media.mediaText === DARK),
  ).map((rule) => /** @type {CSSMediaRule} */ (rule));
  return found;
}
