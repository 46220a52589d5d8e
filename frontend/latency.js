// @ts-check
/**
 * Where the time of a turn goes, from the end of what a person said to the sound of the answer.
 * Pure; times are passed in, in ms of one clock.
 *
 * Where speech ends, the page sends a mark. The edge answers it at once, the worker over the edge at
 * once and again with the model's first content; each hop is half of a way there and back that one
 * clock has measured (docs/protocol.md).
 */

/** Louder than this is speech (root mean square, 0 to 1). */
export const SPEECH_LEVEL = 0.02;
/** So long a silence ends what was said. */
export const QUIET_MS = 300;

/**
 * @typedef {Object} Turn what is known so far; null: not yet, or not at all
 * @property {boolean} spoken or typed
 * @property {number | null} capture_ms microphone to page: the chunk that the last of it was in
 * @property {number | null} edge_ms page to edge
 * @property {number | null} worker_ms edge to worker
 * @property {number | null} model_ms worker to Live API, until its first content is back
 * @property {number | null} back_ms worker to page
 * @property {number | null} speaker_ms page to speaker
 * @property {number | null} total_ms end of speech to sound, or to the first word
 */

/** The latest turn of a conversation. */
export class Latency {
  #chunk_ms;
  #marks = 0;
  /** When speech was last heard; null: since the last mark it was not. @type {number | null} */
  #loudAt = null;
  #spoken = false;
  #endedAt = 0;
  #markedAt = 0;
  /** @type {number | null} */
  #roundTrip = null;
  /** @type {number | null} */
  #workerRoundTrip = null;
  /** @type {number | null} */
  #model = null;
  /** @type {number | null} */
  #firstAt = null;
  /** @type {number | null} */
  #soundAt = null;
  #output_ms = 0;

  /** @param {number} chunk_ms of captured audio */
  constructor(chunk_ms) {
    this.#chunk_ms = chunk_ms;
  }

  /**
   * A chunk of the microphone's was sent.
   * @param {number} level
   * @param {number} now_ms
   * @returns {number | null} the mark to send, if speech has ended
   */
  heard(level, now_ms) {
    if (level >= SPEECH_LEVEL) this.#loudAt = now_ms;
    if (this.#loudAt === null || now_ms - this.#loudAt < QUIET_MS) return null;
    return this.#mark(true, this.#loudAt, now_ms);
  }

  /**
   * The key to talk was released: speech ends here.
   * @param {number} now_ms
   * @returns {number} the mark to send
   */
  released(now_ms) {
    return this.#mark(true, now_ms, now_ms);
  }

  /**
   * A text was sent.
   * @param {number} now_ms
   * @returns {number} the mark to send
   */
  wrote(now_ms) {
    return this.#mark(false, now_ms, now_ms);
  }

  /**
   * @param {boolean} spoken
   * @param {number} endedAt
   * @param {number} now_ms
   */
  #mark(spoken, endedAt, now_ms) {
    this.#loudAt = null;
    this.#spoken = spoken;
    this.#endedAt = endedAt;
    this.#markedAt = now_ms;
    this.#roundTrip = this.#workerRoundTrip = this.#model = this.#firstAt = this.#soundAt = null;
    return ++this.#marks;
  }

  /**
   * The gateway's word on a mark; on one before the latest it is too late.
   * @param {{n: number, worker_ms?: number, model_ms?: number}} told
   * @param {number} now_ms
   */
  told({ n, worker_ms, model_ms }, now_ms) {
    if (n !== this.#marks) return;
    if (worker_ms !== undefined) this.#workerRoundTrip = worker_ms;
    else if (model_ms !== undefined) this.#model = model_ms;
    else this.#roundTrip ??= now_ms - this.#markedAt;
  }

  /**
   * Something of an answer has arrived.
   * @param {number} now_ms
   */
  arrived(now_ms) {
    if (this.#marks > 0) this.#firstAt ??= now_ms;
  }

  /**
   * It is heard.
   * @param {number} now_ms
   * @param {number} output_ms from here to the ear, as the browser knows it
   */
  sounds(now_ms, output_ms) {
    if (this.#firstAt === null || this.#soundAt !== null) return;
    this.#soundAt = now_ms;
    this.#output_ms = output_ms;
  }

  /** @returns {Turn | null} null: nothing was said yet */
  get turn() {
    if (this.#marks === 0) return null;
    const edge_ms = half(this.#roundTrip);
    const worker_ms = half(this.#workerRoundTrip);
    const known = edge_ms !== null && worker_ms !== null;
    const end = this.#soundAt === null ? this.#firstAt : this.#soundAt + this.#output_ms;
    // The model has heard the silence, too, before the mark that says that it is one.
    const before_ms = this.#markedAt - this.#endedAt;
    return {
      spoken: this.#spoken,
      capture_ms: this.#spoken ? this.#chunk_ms : null,
      edge_ms,
      worker_ms,
      model_ms: this.#model === null ? null : this.#model + before_ms,
      back_ms: known && this.#model !== null ? edge_ms + worker_ms : null,
      speaker_ms:
        this.#soundAt === null || this.#firstAt === null
          ? null
          : this.#soundAt - this.#firstAt + this.#output_ms,
      total_ms: end === null ? null : end - this.#endedAt,
    };
  }
}

/** @param {number | null} roundTrip_ms */
function half(roundTrip_ms) {
  return roundTrip_ms === null ? null : roundTrip_ms / 2;
}
