// @ts-check
/** Shows a transcript's changes in a list, and keeps its end in view unless the reader went up. */

import { svgIcon } from "./dom.js";
import { S } from "./strings.js";

/** Closer to the end than this counts as reading along. */
const NEAR_END_PX = 80;
const NAMES = { user: S.you, model: S.model, event: S.note };

/** See the module's text. */
export class TranscriptView {
  #list;
  #scroller;
  #latest;
  /** @type {Map<number, HTMLElement>} */
  #items = new Map();
  #following = true;

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} scroller the element that scrolls
   * @param {HTMLButtonElement} latest goes to the end
   */
  constructor(list, scroller, latest) {
    this.#list = list;
    this.#scroller = scroller;
    this.#latest = latest;
    scroller.addEventListener("scroll", () => this.#look(), { passive: true });
    latest.addEventListener("click", () => this.#toEnd());
    // The room for the list changes with the dock and the phone's keyboard, not only with its text.
    new ResizeObserver(() => this.#follow()).observe(scroller);
  }

  /** @param {import("./transcript.js").Change[]} changes */
  apply(changes) {
    for (const change of changes) {
      if (change.change === "insert") this.#insert(change.entry, change.before);
      else if (change.change === "update") this.#update(change.entry);
      else this.#remove(change.id);
    }
    if (changes.length > 0) this.#follow();
  }

  /**
   * Shows a picture in the newest entry.
   * @param {HTMLCanvasElement} picture
   * @param {string} name
   */
  attach(picture, name) {
    picture.className = "entry-picture";
    picture.role = "img";
    picture.ariaLabel = name;
    this.#list.lastElementChild?.querySelector(".entry-text")?.replaceWith(picture);
    this.#follow();
  }

  /**
   * @param {import("./transcript.js").Entry} entry
   * @param {number | null} before
   */
  #insert(entry, before) {
    const item = document.createElement("div");
    item.className = "entry";
    item.dataset.who = entry.who;
    const name = document.createElement("span");
    name.className = "entry-name";
    name.textContent = NAMES[entry.who];
    const text = document.createElement("p");
    text.className = "entry-text";
    // Each entry may be in a language of its own direction.
    text.dir = "auto";
    item.append(name, text);
    this.#items.set(entry.id, item);
    this.#list.insertBefore(item, (before !== null && this.#items.get(before)) || null);
    this.#update(entry);
  }

  /** @param {import("./transcript.js").Entry} entry */
  #update(entry) {
    const item = this.#items.get(entry.id);
    if (!item) return;
    const text = item.querySelector(".entry-text");
    if (text && text.textContent !== entry.text) text.textContent = entry.text;
    item.classList.toggle("is-open", entry.open);
    if (entry.interrupted && !item.querySelector(".entry-cut")) {
      const cut = document.createElement("span");
      cut.className = "entry-cut";
      cut.append(svgIcon("cut"), S.interrupted);
      item.append(cut);
    }
  }

  /** @param {number} id */
  #remove(id) {
    this.#items.get(id)?.remove();
    this.#items.delete(id);
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    this.#latest.hidden = this.#following;
  }

  #follow() {
    if (this.#following) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    else this.#look();
  }

  #toEnd() {
    this.#following = true;
    this.#follow();
    this.#latest.hidden = true;
  }
}
