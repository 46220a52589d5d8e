// @ts-check
/**
 * A conversation's way to the gateway, subprotocol `livegate.v1`: facts in, messages out, acks.
 *
 * It outlives its sockets: each `connect()` opens the next one. When, is for others to say.
 */

import { Conversation } from "./resume.js";

const SUBPROTOCOL = "livegate.v1";
const ACK_EVERY_MS = 1000;
/** How often a held-back queue looks at `bufferedAmount`: there is no event for it. */
const DRAIN_EVERY_MS = 40;
/** Ends the session; any other code leaves it for a while. */
const ENDED = 1000;
const LEFT = 4000;

/**
 * @typedef {Object} ConnectionEvents
 * @property {() => void} opened
 * @property {(fact: import("./protocol.js").Fact) => void} fact in the order to act on
 * @property {(end: {code: number, reason: string}) => void} closed 1006 if it never opened
 * @property {() => void} overfull more is unconfirmed than may be; what was sent last is kept, too
 */

/** See the module's text. */
export class Connection {
  #url;
  #events;
  #Socket;
  #conversation;
  /** @type {WebSocket | null} */
  #socket = null;
  #decoder = new TextDecoder();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #ackTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #drainTimer;

  /**
   * @param {string} url ws: or wss:
   * @param {{setup: object}} setup the conversation's first message
   * @param {ConnectionEvents} events
   * @param {typeof WebSocket} [Socket]
   */
  constructor(url, setup, events, Socket = WebSocket) {
    this.#url = url;
    this.#events = events;
    this.#Socket = Socket;
    this.#conversation = new Conversation(setup);
  }

  /** What the network was too slow for, by kind. */
  get dropped() {
    return this.#conversation.uplink.dropped;
  }

  /**
   * Opens a socket; there must be none.
   * @param {boolean} resume go on with the session, if there is one; otherwise a new one begins
   * @param {import("./resume.js").Recall | null} [recall] what the model is told of a session lost
   */
  connect(resume, recall) {
    const socket = new this.#Socket(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      socket.send(this.#conversation.first(resume, recall));
      this.#events.opened();
    };
    socket.onmessage = ({ data }) => this.#receive(socket, data);
    socket.onclose = ({ code, reason }) => {
      this.#detach();
      this.#events.closed({ code, reason });
    };
  }

  /**
   * Sends a message, or keeps or drops it as `Uplink` says.
   * @param {object} message
   * @param {import("./uplink.js").Kind} [kind]
   */
  send(message, kind = "control") {
    const { uplink } = this.#conversation;
    uplink.offer(kind, JSON.stringify(message), performance.now(), this.#socket?.bufferedAmount ?? 0);
    if (uplink.overfull) this.#events.overfull();
    else this.#drain();
  }

  /**
   * Says something that isn't the conversation's: now, or not at all.
   * @param {object} notice
   */
  tell(notice) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(notice));
  }

  /** What was sent so far is being answered: a session that begins anew doesn't need it. */
  answered() {
    this.#conversation.uplink.answered();
  }

  /** Gives the socket up, unreported; the session can be resumed, if the gateway offered that. */
  drop() {
    this.#detach()?.close(this.#conversation.resumable ? LEFT : ENDED);
  }

  /** Ends the session; nothing more is reported. */
  close() {
    this.#detach()?.close(ENDED);
  }

  /**
   * @param {WebSocket} socket
   * @param {string | ArrayBuffer} data
   */
  #receive(socket, data) {
    const text = typeof data === "string" ? data : this.#decoder.decode(data);
    const facts = this.#conversation.receive(text);
    if (this.#conversation.pressing) this.#ack();
    else this.#ackTimer ??= setTimeout(() => this.#ack(), ACK_EVERY_MS);
    for (const fact of facts) {
      // A fact can lead to the socket's end; the rest of that message is then nobody's.
      if (this.#socket !== socket) return;
      this.#events.fact(fact);
    }
    this.#drain();
  }

  #ack() {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    const ack = this.#conversation.ack();
    if (ack && this.#socket?.readyState === 1) this.#socket.send(ack);
  }

  #drain() {
    const socket = this.#socket;
    const { uplink } = this.#conversation;
    if (socket?.readyState === 1) {
      for (const text of uplink.take(performance.now(), socket.bufferedAmount)) socket.send(text);
    }
    if (uplink.flowing) this.#drainTimer ??= setInterval(() => this.#drain(), DRAIN_EVERY_MS);
    else this.#stopDraining();
  }

  #stopDraining() {
    clearInterval(this.#drainTimer);
    this.#drainTimer = undefined;
  }

  #detach() {
    const socket = this.#socket;
    this.#socket = null;
    this.#conversation.lost();
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    this.#stopDraining();
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    return socket;
  }
}
