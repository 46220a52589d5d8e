// @ts-check
/**
 * What to send, hold or drop when the network is slower than the talk. Pure.
 *
 * A WebSocket takes any amount and only tells how much it still holds (`bufferedAmount`). Left
 * alone, a slow network would delay speech by minutes. Policy: video goes first, then the oldest
 * audio; control messages are never dropped. The order of what is sent is kept.
 */

/** About 1.5 s of speech as base64: beyond that the socket is given nothing more. */
const HIGH_BYTES = 64 * 1024;
/** A picture is as large as seconds of speech, so it needs an almost empty socket. */
const VIDEO_BYTES = 8 * 1024;
/** Held back at most 2 s of audio (50 chunks of 40 ms). */
const AUDIO_CHUNKS = 50;

/** @typedef {"control" | "audio" | "video"} Kind */

/** The queue in front of one socket. */
export class Uplink {
  /** @type {{kind: Kind, text: string}[]} */
  #waiting = [];
  #audioWaiting = 0;
  #dropped = { audio: 0, video: 0 };

  /** Messages held back. */
  get waiting() {
    return this.#waiting.length;
  }

  /** Messages dropped so far, by kind. */
  get dropped() {
    return { ...this.#dropped };
  }

  /**
   * Takes a message.
   * @param {Kind} kind
   * @param {string} text
   * @param {number} buffered_bytes what the socket still holds
   * @returns {string[]} what to send now, in order
   */
  offer(kind, text, buffered_bytes) {
    if (kind === "video" && (this.waiting > 0 || buffered_bytes > VIDEO_BYTES)) {
      this.#dropped.video++;
      return [];
    }
    this.#waiting.push({ kind, text });
    if (kind === "audio" && ++this.#audioWaiting > AUDIO_CHUNKS) this.#dropOldestAudio();
    return this.drain(buffered_bytes);
  }

  /**
   * @param {number} buffered_bytes what the socket still holds
   * @returns {string[]} what can be sent now, in order
   */
  drain(buffered_bytes) {
    const ready = [];
    let held_bytes = buffered_bytes;
    while (this.#waiting.length > 0 && held_bytes < HIGH_BYTES) {
      const message = /** @type {{kind: Kind, text: string}} */ (this.#waiting.shift());
      if (message.kind === "audio") this.#audioWaiting--;
      held_bytes += message.text.length;
      ready.push(message.text);
    }
    return ready;
  }

  #dropOldestAudio() {
    this.#waiting.splice(
      this.#waiting.findIndex(({ kind }) => kind === "audio"),
      1,
    );
    this.#audioWaiting--;
    this.#dropped.audio++;
  }
}
