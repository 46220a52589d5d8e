// @ts-check
/** Small helpers for the page's own elements. */

/**
 * The element with an id, of a known kind.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 * @throws {Error} if the page has no such element: page and script don't belong together
 */
export function byId(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`The page has no ${kind.name} #${id}`);
  return element;
}

/**
 * One of the icons that `index.html` defines.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function svgIcon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

const WORDED = ["aria-label", "title", "placeholder", "alt"];

/**
 * Puts the page's own texts into another language; where it is the same, nothing changes.
 * @param {Record<string, string>} words by what `index.html` says
 * @param {{lang: string, dir: string}} language
 */
export function putWords(words, { lang, dir }) {
  const root = document.documentElement;
  Object.assign(root, { lang, dir });
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const said = text.nodeValue ?? "";
    const put = words[said.trim()];
    if (put && put !== said.trim()) text.nodeValue = said.replace(said.trim(), () => put);
  }
  for (const name of WORDED) {
    for (const element of root.querySelectorAll(`[${name}]`)) {
      const put = words[element.getAttribute(name) ?? ""];
      if (put) element.setAttribute(name, put);
    }
  }
}
