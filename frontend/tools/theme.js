// @ts-check
/** Makes the page light or dark, whatever the system prefers. */

/** What the style sheet calls each. */
const THEMES = new Map([
  ["dark", "dark"],
  ["light", "light"],
  ["system", "auto"],
]);

/** @type {import("./index.js").PageTool} */
export const theme = {
  name: "set_theme",
  description: "Make the page dark or light, or as the user's system has it.",
  parameters: {
    type: "object",
    properties: { theme: { type: "string", enum: [...THEMES.keys()] } },
    required: ["theme"],
  },
  scheduling: "SILENT",
  run({ theme }) {
    const named = THEMES.get(String(theme));
    if (!named) throw new Error(`theme must be one of ${[...THEMES.keys()].join(", ")}`);
    document.documentElement.dataset.theme = named;
    return { theme };
  },
};
