// @ts-check
/** When to connect again, and when to give up. Pure. */

/** A connection that lasted this long proves that the way works: the count of tries restarts. */
const STABLE_MS = 10_000;
/** So many connections that don't last are made one after the other. */
const MAX_TRIES = 20;

/** The waits double from the first to the longest, in milliseconds. */
const BACK_OFF = {
  retry: { first: 250, longest: 5000 },
  wait: { first: 1000, longest: 15_000 },
};

/** The tries of one conversation. */
export class Retry {
  #tries = 0;
  #since_ms;
  #window_ms;

  /**
   * @param {number} now_ms
   * @param {number} window_ms how long it is tried: as long as the gateway keeps a session whose
   *   client is away
   */
  constructor(now_ms, window_ms) {
    this.#since_ms = now_ms;
    this.#window_ms = window_ms;
  }

  /**
   * A connection that worked is lost.
   * @param {number} now_ms
   * @param {number} lasted_ms
   */
  lost(now_ms, lasted_ms) {
    if (lasted_ms >= STABLE_MS) this.#tries = 0;
    this.#since_ms = now_ms;
  }

  /** There is a new reason for hope: the next tries follow each other quickly. */
  hasten() {
    this.#tries = 0;
  }

  /**
   * @param {"reconnect" | "retry" | "wait"} action how the last connection ended
   * @param {boolean} atOnce however many tries there were
   * @param {number} now_ms
   * @param {number} random 0 to 1
   * @param {number} [least_ms] the gateway said to wait so long
   * @returns {number | null} milliseconds until the next try; null: it is over
   */
  next(action, atOnce, now_ms, random, least_ms = 0) {
    const left_ms = this.#since_ms + this.#window_ms - now_ms;
    if (left_ms <= 0 || least_ms > left_ms || this.#tries >= MAX_TRIES) return null;
    const ms = atOnce ? 0 : wait_ms(action, this.#tries, random);
    this.#tries++;
    return Math.max(least_ms, Math.min(ms, left_ms));
  }
}

/**
 * Of a wait the upper half is random, so that the clients of a restarted gateway don't come back
 * as one.
 * @param {"reconnect" | "retry" | "wait"} action
 * @param {number} tries
 * @param {number} random
 */
function wait_ms(action, tries, random) {
  if (tries === 0 && action !== "wait") return 0;
  // A gateway that closes each new connection would be hammered.
  const { first, longest } = BACK_OFF[action === "retry" ? "retry" : "wait"];
  const doublings = action === "wait" ? tries : tries - 1;
  return Math.round(Math.min(longest, first * 2 ** doublings) * (0.5 + 0.5 * random));
}
