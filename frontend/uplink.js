// @ts-check
/**
 * The client's messages on their way to the gateway: numbered, in order, kept until the gateway
 * doesn't need them any more, and sent again to a gateway that lacks them. Pure.
 *
 * A WebSocket takes any amount and only tells how much it still holds (`bufferedAmount`), and
 * sometimes there is none. Policy for both: of video at most the newest picture waits, and only
 * behind a lost connection; then audio older than 15 s goes; control messages are never dropped.
 */

import { nextMessage } from "./protocol.js";

/** About 1.5 s of speech as base64: beyond that the socket is given nothing more. */
const HIGH_BYTES = 64 * 1024;
/** A picture is as large as seconds of speech, so it needs an almost empty socket. */
const VIDEO_BYTES = 8 * 1024;
/** Older media is worth nothing to the model any more. */
const MEDIA_AGE_MS = 15_000;
/** Control messages kept and waiting; the gateway holds no more either. */
const CONTROL_BYTES = 4 * 1024 * 1024;

/**
 * @typedef {"control" | "audio" | "video" | "history"} Kind "history": of a session before
 *
 * @typedef {Object} Item
 * @property {number} n its number, 0 until it is sent for the first time
 * @property {Kind} kind
 * @property {string} text
 * @property {number} at_ms when it was offered
 */

/** The sending end of one conversation, over all its connections. Shut at first. */
export class Uplink {
  /** Sent, and not yet released by the gateway. @type {Item[]} */
  #kept = [];
  /** To be sent, again or for the first time. @type {Item[]} */
  #waiting = [];
  #open = false;
  #next = 1;
  /** The number that the gateway gives the next message if it isn't told another. */
  #expected = 1;
  #answered = 0;
  #control_bytes = 0;
  #dropped = { audio: 0, video: 0 };

  /** Something waits only for the socket to empty. */
  get flowing() {
    return this.#open && this.#waiting.length > 0;
  }

  /** Messages dropped before they were ever sent, by kind. */
  get dropped() {
    return { ...this.#dropped };
  }

  /** More control messages are unconfirmed than may be. */
  get overfull() {
    return this.#control_bytes > CONTROL_BYTES;
  }

  /**
   * Takes a message; `take` gives it out.
   * @param {Kind} kind
   * @param {string} text
   * @param {number} now_ms
   * @param {number} buffered_bytes what the socket still holds
   */
  offer(kind, text, now_ms, buffered_bytes) {
    const tooSlow = !this.#open || this.#waiting.length > 0 || buffered_bytes > VIDEO_BYTES;
    if (kind === "video" && tooSlow) {
      this.#dropped.video++;
      return;
    }
    this.#waiting.push({ n: 0, kind, text, at_ms: now_ms });
    this.#expire(now_ms);
  }

  /**
   * @param {number} now_ms
   * @param {number} buffered_bytes what the socket still holds
   * @returns {string[]} what to send now, in order, notices included
   */
  take(now_ms, buffered_bytes) {
    if (!this.#open) return [];
    this.#expire(now_ms);
    const ready = [];
    let held_bytes = buffered_bytes;
    while (this.#waiting.length > 0 && held_bytes < HIGH_BYTES) {
      const item = /** @type {Item} */ (this.#waiting.shift());
      item.n ||= this.#next++;
      if (item.n !== this.#expected) ready.push(JSON.stringify(nextMessage(item.n)));
      this.#expected = item.n + 1;
      this.#kept.push(item);
      held_bytes += item.text.length;
      ready.push(item.text);
    }
    return ready;
  }

  /**
   * The gateway will never ask again for what is up to `n`.
   * @param {number} n
   */
  release(n) {
    this.#retain((item) => item.n === 0 || item.n > n);
  }

  /** The model has begun to answer what was sent so far. */
  answered() {
    this.#answered = this.#expected - 1;
  }

  /** There is no connection: nothing is given out. */
  shut() {
    this.#open = false;
  }

  /** A new session was taken: everything may go out. */
  open() {
    this.#open = true;
  }

  /**
   * The session goes on: what the gateway has not, from message `from` on, is sent again.
   * @param {number} from
   */
  resume(from) {
    const all = [...this.#kept, ...this.#waiting];
    this.#kept = all.filter(({ n }) => n > 0 && n < from);
    this.#waiting = all.filter(({ n }) => n === 0 || n >= from);
    const newest = this.#waiting.findLast(({ kind }) => kind === "video");
    this.#waiting = this.#waiting.filter((item) => item.kind !== "video" || item === newest);
    this.#expected = from;
    this.#open = true;
  }

  /**
   * A new session begins: it is numbered anew, and gets what the old one has not answered.
   * @param {string} history what it is told first, if anything
   */
  restart(history) {
    this.#retain(({ n, kind }) => {
      return kind !== "video" && kind !== "history" && (n === 0 || n > this.#answered);
    });
    this.#waiting = [...this.#kept, ...this.#waiting].map((item) => ({ ...item, n: 0 }));
    this.#kept = [];
    if (history) this.#waiting.unshift({ n: 0, kind: "history", text: history, at_ms: 0 });
    this.#next = this.#expected = 1;
    this.#answered = 0;
    this.#open = false;
  }

  /** @param {number} now_ms */
  #expire(now_ms) {
    const since_ms = now_ms - MEDIA_AGE_MS;
    this.#retain(({ n, kind, at_ms }) => {
      if ((kind !== "audio" && kind !== "video") || at_ms >= since_ms) return true;
      if (n === 0) this.#dropped[kind]++;
      return false;
    });
  }

  /** @param {(item: Item) => boolean} wanted */
  #retain(wanted) {
    this.#kept = this.#kept.filter(wanted);
    this.#waiting = this.#waiting.filter(wanted);
    this.#control_bytes = 0;
    for (const { kind, text } of [...this.#kept, ...this.#waiting]) {
      if (kind === "control") this.#control_bytes += text.length;
    }
  }
}
