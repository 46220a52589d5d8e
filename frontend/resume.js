// @ts-check
/**
 * Both ends of a conversation's messages, over all its connections: what is said first on each,
 * and what the gateway's notices mean for them. Pure.
 */

import { Downlink } from "./downlink.js";
import { ackMessage, parse, resumeMessage } from "./protocol.js";
import { Uplink } from "./uplink.js";

/** @typedef {(setup: {setup: object}) => {setup: {setup: object}, history: object}} Recall */

/** See the module's text. */
export class Conversation {
  #setup;
  #token = "";
  #downlink = new Downlink();

  /** What is to be sent; it is shut while nothing may be. */
  uplink = new Uplink();

  /** @param {{setup: object}} setup the first message of a session */
  constructor(setup) {
    this.#setup = setup;
  }

  /** A connection that is lost, or left, can be resumed. */
  get resumable() {
    return this.#token !== "";
  }

  /** Enough has arrived that an `ack` shouldn't wait. */
  get pressing() {
    return this.#downlink.pressing;
  }

  /**
   * A connection is open.
   * @param {boolean} resume go on with the session, if there is one; otherwise a new one begins
   * @param {Recall | null} recall what a new one begins with, if there was one before
   * @returns {string} the first message
   */
  first(resume, recall = null) {
    if (resume && this.resumable) {
      const last = this.#downlink.ack();
      this.#downlink.expect(last + 1);
      return JSON.stringify(resumeMessage(this.#setup, this.#token, last));
    }
    this.#token = "";
    this.#downlink.restart();
    const seed = recall?.(this.#setup);
    this.uplink.restart(seed ? JSON.stringify(seed.history) : "");
    return JSON.stringify(seed?.setup ?? this.#setup);
  }

  /** The connection is gone. */
  lost() {
    this.uplink.shut();
  }

  /**
   * A message has arrived.
   * @param {string} text
   * @returns {import("./protocol.js").Fact[]} in the order to act on; none if it came before
   */
  receive(text) {
    const { facts, counted } = parse(text);
    if (counted && !this.#downlink.take(text.length)) return [];
    for (const fact of facts) {
      if (fact.kind === "notice") this.#notice(fact.notice);
      else if (fact.kind === "ready") this.uplink.open();
    }
    return facts;
  }

  /** @returns {string | null} the `ack` to send, if there is something to tell */
  ack() {
    return this.#downlink.untold ? JSON.stringify(ackMessage(this.#downlink.ack())) : null;
  }

  /** @param {import("./protocol.js").Notice} notice */
  #notice({ token, ack, next, recovered, resend }) {
    if (token !== undefined) this.#token = token;
    if (ack !== undefined) this.uplink.release(ack);
    if (recovered === false) this.#downlink.restart();
    if (next !== undefined) this.#downlink.expect(next);
    if (recovered !== undefined) this.uplink.resume(resend ?? 1);
  }
}
