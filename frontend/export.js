// @ts-check
/** A conversation as a file: text and JSON. Pure, but for `saveFile`. */

/** @typedef {import("./transcript.js").Entry} Entry */

/**
 * @param {readonly Entry[]} entries
 * @param {Record<Entry["who"], string>} names
 * @param {string} interrupted the word for it
 * @returns {string}
 */
export function toText(entries, names, interrupted) {
  return entries
    .map(({ who, text, interrupted: cut }) => `${names[who]}: ${text}${cut ? ` [${interrupted}]` : ""}\n`)
    .join("\n");
}

/**
 * @param {readonly Entry[]} entries
 * @param {{model: string, saved_at: string}} about
 * @returns {string}
 */
export function toJson(entries, about) {
  const said = entries.map(({ who, text, interrupted }) => ({ who, text, interrupted }));
  return `${JSON.stringify({ ...about, entries: said }, null, 2)}\n`;
}

/**
 * @param {BlobPart} content
 * @param {string} type
 * @param {string} name
 */
export function saveFile(content, type, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  // Firefox reads it a moment later.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
