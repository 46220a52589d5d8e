// @ts-check
/**
 * One WebSocket to the gateway, subprotocol `livegate.v1`: facts in, messages out, acks.
 *
 * A new conversation or a new attempt is a new Connection. After `close()` nothing is reported.
 */

import { ackMessage, parse } from "./protocol.js";
import { Uplink } from "./uplink.js";

const SUBPROTOCOL = "livegate.v1";
const ACK_EVERY_MS = 1000;
/** How often a held-back queue looks at `bufferedAmount`: there is no event for it. */
const DRAIN_EVERY_MS = 40;

/**
 * @typedef {Object} ConnectionEvents
 * @property {() => void} opened
 * @property {(fact: import("./protocol.js").Fact) => void} fact in the order to act on
 * @property {(end: {code: number, reason: string}) => void} closed 1006 if it never opened
 */

/** See the module's text. */
export class Connection {
  #socket;
  #events;
  #uplink = new Uplink();
  #decoder = new TextDecoder();
  #received = 0;
  #acked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #ackTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #drainTimer;

  /**
   * @param {string} url ws: or wss:
   * @param {ConnectionEvents} events
   * @param {typeof WebSocket} [Socket]
   */
  constructor(url, events, Socket = WebSocket) {
    this.#events = events;
    this.#socket = new Socket(url, SUBPROTOCOL);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => events.opened();
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onclose = ({ code, reason }) => {
      this.#stop();
      events.closed({ code, reason });
    };
  }

  /** What the network was too slow for, by kind. */
  get dropped() {
    return this.#uplink.dropped;
  }

  /**
   * Sends a message, or holds or drops it as `Uplink` says. Ignored if the socket isn't open.
   * @param {object} message
   * @param {import("./uplink.js").Kind} [kind]
   */
  send(message, kind = "control") {
    if (this.#socket.readyState !== 1) return;
    const text = JSON.stringify(message);
    for (const ready of this.#uplink.offer(kind, text, this.#socket.bufferedAmount)) {
      this.#socket.send(ready);
    }
    if (this.#uplink.waiting > 0) this.#drainTimer ??= setInterval(() => this.#drain(), DRAIN_EVERY_MS);
  }

  /** Ends the conversation: code 1000, and no further events. */
  close() {
    this.#stop();
    this.#socket.onopen = null;
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#socket.close(1000);
  }

  /** @param {string | ArrayBuffer} data */
  #receive(data) {
    const text = typeof data === "string" ? data : this.#decoder.decode(data);
    const { facts, counted } = parse(text);
    if (counted) {
      this.#received++;
      this.#ackTimer ??= setTimeout(() => this.#ack(), ACK_EVERY_MS);
    }
    for (const fact of facts) {
      // A fact can lead to close(); the rest of that message is then nobody's.
      if (this.#socket.onmessage === null) return;
      this.#events.fact(fact);
    }
  }

  #ack() {
    this.#ackTimer = undefined;
    if (this.#received === this.#acked) return;
    this.#acked = this.#received;
    this.send(ackMessage(this.#acked));
  }

  #drain() {
    if (this.#socket.readyState === 1) {
      for (const ready of this.#uplink.drain(this.#socket.bufferedAmount)) this.#socket.send(ready);
    }
    if (this.#uplink.waiting === 0) this.#stopDraining();
  }

  #stopDraining() {
    clearInterval(this.#drainTimer);
    this.#drainTimer = undefined;
  }

  #stop() {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    this.#stopDraining();
  }
}
