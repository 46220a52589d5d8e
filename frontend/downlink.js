// @ts-check
/** The server's messages: which are new, and what the gateway must be told of them. Pure. */

/** So much may arrive before it is acknowledged, however short the time. */
const ACK_BYTES = 64 * 1024;

/** The receiving end of one session, over all its connections. */
export class Downlink {
  #last = 0;
  /** The number of the next message. */
  #next = 1;
  #acked = 0;
  #untold_bytes = 0;

  /** The number of the last message that arrived; 0: none. */
  get last() {
    return this.#last;
  }

  /** Something arrived that the gateway hasn't been told of. */
  get untold() {
    return this.#last > this.#acked;
  }

  /** So much of it that it must be told now. */
  get pressing() {
    return this.#untold_bytes >= ACK_BYTES;
  }

  /**
   * The next message has this number.
   * @param {number} n
   */
  expect(n) {
    this.#next = n;
  }

  /** Another numbering: the next message is the first. */
  restart() {
    this.#last = this.#acked = this.#untold_bytes = 0;
    this.#next = 1;
  }

  /**
   * A message has arrived.
   * @param {number} bytes its length
   * @returns {boolean} whether it is new; otherwise it must be ignored
   */
  take(bytes) {
    const n = this.#next++;
    if (n <= this.#last) return false;
    this.#last = n;
    this.#untold_bytes += bytes;
    return true;
  }

  /** @returns {number} the number to acknowledge; the gateway counts as told */
  ack() {
    this.#acked = this.#last;
    this.#untold_bytes = 0;
    return this.#last;
  }
}
