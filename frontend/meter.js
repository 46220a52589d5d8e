// @ts-check
/** A voice's level, as bars or as a part of the orb. The look, and reduced motion, are in the CSS. */

/** Levels below are room noise, above are loud speech. */
const QUIET_DB = -50;
const LOUD_DB = -12;
/** A level this old says nothing any more: the source went quiet without a last word. */
const STALE_MS = 250;
/** How much of the way to a new level a frame goes: soon up, slowly down, never a jump. */
const RISE = 0.35;
const FALL = 0.12;
const SETTLED = 0.01;

/**
 * A root mean square as the length of a bar. Pure.
 * @param {number} level 0 to 1
 * @returns {number} 0 to 1
 */
export function loudness(level) {
  const db = 20 * Math.log10(Math.max(level, 1e-6));
  return Math.max(0, Math.min(1, (db - QUIET_DB) / (LOUD_DB - QUIET_DB)));
}

/** Drives `--level` and the class `is-loud` of one element; idle, it costs nothing. */
export class Meter {
  #element;
  #target = 0;
  #shown = 0;
  #heard_ms = 0;
  #frame = 0;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** @param {number} level root mean square, 0 to 1 */
  set(level) {
    this.#target = loudness(level);
    this.#heard_ms = performance.now();
    if (!this.#frame) this.#frame = requestAnimationFrame((now) => this.#draw(now));
  }

  /** @param {number} now_ms */
  #draw(now_ms) {
    if (now_ms - this.#heard_ms > STALE_MS) this.#target = 0;
    const way = this.#target - this.#shown;
    this.#shown += way * (way > 0 ? RISE : FALL);
    const settled = this.#target === 0 && this.#shown < SETTLED;
    if (settled) this.#shown = 0;
    this.#element.style.setProperty("--level", this.#shown.toFixed(3));
    this.#element.classList.toggle("is-loud", this.#shown > 0.25);
    this.#frame = settled ? 0 : requestAnimationFrame((now) => this.#draw(now));
  }
}
