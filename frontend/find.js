// @ts-check
/** Finds words in the conversation and goes from one place to the next. */

import { byId } from "./dom.js";
import { S } from "./strings.js";

/**
 * Where a word stands in a text, whatever its case. Pure.
 * @param {string} text
 * @param {string} word
 * @returns {number[]} offsets
 */
export function places(text, word) {
  /** @type {number[]} */
  const found = [];
  const [where, what] = [text.toLowerCase(), word.toLowerCase()];
  // Some letters change their length with their case: then the offsets wouldn't fit.
  if (!what || where.length !== text.length) return found;
  for (let at = where.indexOf(what); at >= 0; at = where.indexOf(what, at + what.length)) found.push(at);
  return found;
}

/** The search field, and what it finds. */
export class Find {
  #list;
  #bar = byId("find", HTMLElement);
  #field = byId("find-text", HTMLInputElement);
  #count = byId("find-count", HTMLElement);
  #button = byId("open-find", HTMLButtonElement);
  /** @type {Range[]} */
  #found = [];
  #at = 0;

  /** @param {HTMLElement} list the conversation */
  constructor(list) {
    this.#list = list;
    this.#button.addEventListener("click", () => this.#toggle(this.#bar.hidden));
    byId("find-close", HTMLButtonElement).addEventListener("click", () => this.#toggle(false));
    byId("find-next", HTMLButtonElement).addEventListener("click", () => this.#go(1));
    byId("find-back", HTMLButtonElement).addEventListener("click", () => this.#go(-1));
    this.#field.addEventListener("input", () => {
      this.refresh();
      this.#go(0);
    });
    this.#bar.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#toggle(false);
      else if (event.key === "Enter" && event.target === this.#field) this.#go(event.shiftKey ? -1 : 1);
    });
  }

  /** The conversation has changed. */
  refresh() {
    if (this.#bar.hidden) return;
    this.#found = [];
    for (const element of this.#list.querySelectorAll(".entry-text")) {
      const node = element.firstChild;
      for (const at of places(node?.textContent ?? "", this.#field.value)) {
        const range = new Range();
        range.setStart(/** @type {Node} */ (node), at);
        range.setEnd(/** @type {Node} */ (node), at + this.#field.value.length);
        this.#found.push(range);
      }
    }
    this.#at = Math.min(this.#at, Math.max(0, this.#found.length - 1));
    this.#show();
  }

  /** @param {boolean} open */
  #toggle(open) {
    this.#bar.hidden = !open;
    this.#button.ariaExpanded = String(open);
    if (open) {
      this.#field.select();
      this.#field.focus();
      this.refresh();
      return;
    }
    this.#found = [];
    this.#show();
    this.#button.focus();
  }

  /** @param {number} step */
  #go(step) {
    const { length } = this.#found;
    if (length === 0) return;
    this.#at = (this.#at + step + length) % length;
    this.#show();
    this.#found[this.#at].startContainer.parentElement?.scrollIntoView({ block: "center" });
  }

  #show() {
    const { length } = this.#found;
    const none = this.#field.value ? S.nothingFound : "";
    this.#count.textContent = length > 0 ? S.found(this.#at + 1, length) : none;
    // Firefox has had it since 140; without it the places are gone to, but not marked.
    if (!("highlights" in CSS)) return;
    CSS.highlights.set("found", new Highlight(...this.#found));
    const here = this.#found.slice(this.#at, this.#at + 1);
    CSS.highlights.set("found-here", new Highlight(...here));
  }
}
