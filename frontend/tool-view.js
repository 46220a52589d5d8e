// @ts-check
/** Function calls as cards, and the canvas that tools draw on. */

import { S } from "./strings.js";

const CANVAS_PX = 400;

/** Draws into one element. */
export class ToolView {
  #root;
  #cards = document.createElement("ol");
  /** By the call's id. @type {Map<string, {card: HTMLElement, state: string}>} */
  #shown = new Map();
  /** @type {HTMLCanvasElement | null} */
  #canvas = null;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    this.#cards.className = "tool-cards";
    this.#cards.setAttribute("role", "log");
    this.#cards.setAttribute("aria-label", root.ariaLabel ?? "");
    root.append(this.#cards);
  }

  /** @returns {HTMLCanvasElement} shown from now on */
  canvas() {
    if (!this.#canvas) {
      this.#canvas = document.createElement("canvas");
      this.#canvas.className = "tool-canvas";
      this.#canvas.width = this.#canvas.height = CANVAS_PX;
      this.#canvas.setAttribute("role", "img");
      this.#canvas.ariaLabel = S.canvas;
      this.#root.prepend(this.#canvas);
      this.#root.hidden = false;
    }
    return this.#canvas;
  }

  /** @param {readonly Readonly<import("./tool-calls.js").Call>[]} calls */
  show(calls) {
    const ids = new Set(calls.map(({ id }) => id));
    for (const [id, { card }] of this.#shown) {
      if (ids.has(id)) continue;
      card.remove();
      this.#shown.delete(id);
    }
    for (const call of calls) this.#showCall(call);
    this.#root.hidden = calls.length === 0 && !this.#canvas;
  }

  /** @param {Readonly<import("./tool-calls.js").Call>} call */
  #showCall(call) {
    const before = this.#shown.get(call.id);
    if (before?.state === call.state) return;
    const card = element("li", "tool-card");
    card.dataset.state = call.state;
    card.dataset.tool = call.name;
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    const took = call.ms === undefined ? "" : ` · ${S.took(call.ms)}`;
    summary.append(
      element("b", "tool-name", call.name),
      element("span", "tool-state", `${S.toolStates[call.state]}${took}`),
      element("span", "tool-where", S.toolWhere[call.where]),
    );
    details.append(summary, ...part(S.toolArgs, call.args));
    if (call.response !== undefined) details.append(...part(S.toolAnswer, call.response));
    card.append(details);
    if (before) {
      details.open = before.card.querySelector("details")?.open ?? false;
      before.card.replaceWith(card);
    } else {
      this.#cards.append(card);
      card.scrollIntoView?.({ block: "nearest" });
    }
    this.#shown.set(call.id, { card, state: call.state });
  }
}

/**
 * @param {string} title
 * @param {unknown} value
 */
function part(title, value) {
  return [element("span", "tool-title", title), element("pre", "tool-value", JSON.stringify(value, null, 2))];
}

/**
 * @param {string} name
 * @param {string} className
 * @param {string} [text]
 */
export function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
