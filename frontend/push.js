// @ts-check
/**
 * Push-to-talk: which of the microphone's chunks are sent, with the half second before the key was
 * pressed. Pure. People press as they begin to speak, so the first word starts before the key.
 */

const KEPT_MS = 500;

/** @typedef {"start" | "end" | {audio: string}} Part of an utterance; `audio` is base64 PCM16 */

/** See the module's text. */
export class PushToTalk {
  #room;
  /** @type {string[]} */
  #before = [];
  /** @type {"up" | "down" | "rising"} the key; "rising": the chunk in which it was released is due */
  #key = "up";

  /** @param {number} chunk_ms how long a chunk is */
  constructor(chunk_ms) {
    this.#room = Math.ceil(KEPT_MS / chunk_ms);
  }

  /** The key is held. */
  get held() {
    return this.#key === "down";
  }

  /** @returns {Part[]} what is sent now */
  press() {
    const going = this.#key === "rising";
    if (this.held) return [];
    this.#key = "down";
    if (going) return [];
    return ["start", ...this.#before.splice(0).map((audio) => ({ audio }))];
  }

  /** The key was released; what is said in this moment is still sent. */
  release() {
    if (this.held) this.#key = "rising";
  }

  /**
   * A chunk was captured.
   * @param {string} audio
   * @returns {Part[]} what is sent now
   */
  heard(audio) {
    if (this.#key === "down") return [{ audio }];
    if (this.#key === "rising") {
      this.#key = "up";
      return [{ audio }, "end"];
    }
    this.#before.push(audio);
    if (this.#before.length > this.#room) this.#before.shift();
    return [];
  }

  /** The microphone is off: what it heard is forgotten. @returns {Part[]} what is sent now */
  stop() {
    const open = this.#key !== "up";
    this.#key = "up";
    this.#before = [];
    return open ? ["end"] : [];
  }
}
