// @ts-check
/** The key to talk: a button and the space bar, held. */

import { byId } from "./dom.js";

/** Where the space bar has a meaning of its own. */
const TAKEN = "input, textarea, select, button, a, summary, [contenteditable], dialog, [popover]";

/**
 * @param {() => boolean} used whether the key means anything now
 * @param {(held: boolean) => void} hold
 */
export function holdToTalk(used, hold) {
  const button = byId("hold", HTMLButtonElement);
  let held = false;
  /** @param {boolean} wanted */
  const set = (wanted) => {
    if (held === wanted || (wanted && !used())) return;
    held = wanted;
    hold(held);
  };
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    set(true);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    button.addEventListener(end, () => set(false));
  }
  // A long press on a phone would open a menu instead.
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    const ours = target === button || !(target instanceof Element && target.closest(TAKEN));
    const enter = event.code === "Enter" && target === button;
    if ((event.code !== "Space" && !enter) || !ours || !used()) return;
    event.preventDefault();
    if (!event.repeat) set(true);
  });
  document.addEventListener("keyup", (event) => {
    if (event.code === "Space" || event.code === "Enter") set(false);
  });
  window.addEventListener("blur", () => set(false));
}
