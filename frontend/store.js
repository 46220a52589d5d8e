// @ts-check
/** What this browser remembers for the page. */

/**
 * @param {string} name
 * @returns {unknown} null if there is nothing
 */
export function load(name) {
  try {
    return JSON.parse(localStorage.getItem(`livegate.${name}`) ?? "null");
  } catch {
    // Storage may be forbidden, or hold something else's text: the defaults do.
    return null;
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 */
export function save(name, value) {
  try {
    localStorage.setItem(`livegate.${name}`, JSON.stringify(value));
  } catch {
    // Forbidden or full: it lasts as long as the page.
  }
}
