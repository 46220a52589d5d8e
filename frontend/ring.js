// @ts-check
/**
 * A first-in-first-out of samples in fixed blocks: it grows without copying what it holds and
 * never refuses a sample. Pure; runs in worklets.
 */

const BLOCK_SAMPLES = 4096;
/** Emptied blocks kept for reuse, so that steady playback makes no garbage. */
const SPARE_BLOCKS = 16;

/**
 * Holds any number of samples in order. Reads and writes cost O(samples moved), whatever it holds:
 * a model speaks faster than real time and minutes can pile up.
 */
export class SampleRing {
  /** @type {Float32Array[]} */
  #blocks = [];
  /** @type {Float32Array[]} */
  #spare = [];
  /** Blocks before this one in the array have been read; shifting each would cost O(blocks). */
  #head = 0;
  #readAt = 0;
  #writeAt = BLOCK_SAMPLES;
  #length = 0;

  /** Samples held. */
  get length() {
    return this.#length;
  }

  /**
   * Appends all samples.
   * @param {Float32Array} samples
   */
  write(samples) {
    let done = 0;
    while (done < samples.length) {
      if (this.#writeAt === BLOCK_SAMPLES) {
        this.#blocks.push(this.#spare.pop() ?? new Float32Array(BLOCK_SAMPLES));
        this.#writeAt = 0;
      }
      const count = Math.min(samples.length - done, BLOCK_SAMPLES - this.#writeAt);
      const tail = this.#blocks[this.#blocks.length - 1];
      tail.set(samples.subarray(done, done + count), this.#writeAt);
      this.#writeAt += count;
      done += count;
    }
    this.#length += samples.length;
  }

  /**
   * Moves up to `target.length` samples into `target`, oldest first.
   * @param {Float32Array} target
   * @returns {number} how many were there
   */
  read(target) {
    const total = Math.min(target.length, this.#length);
    let done = 0;
    while (done < total) {
      const count = Math.min(total - done, BLOCK_SAMPLES - this.#readAt);
      const head = this.#blocks[this.#head];
      target.set(head.subarray(this.#readAt, this.#readAt + count), done);
      this.#readAt += count;
      done += count;
      if (this.#readAt === BLOCK_SAMPLES) this.#nextBlock();
    }
    this.#length -= total;
    return total;
  }

  /**
   * Throws everything away.
   * @returns {number} how many samples that were
   */
  clear() {
    const dropped = this.#length;
    for (let i = this.#head; i < this.#blocks.length; i++) this.#recycle(this.#blocks[i]);
    this.#blocks = [];
    this.#head = 0;
    this.#readAt = 0;
    this.#writeAt = BLOCK_SAMPLES;
    this.#length = 0;
    return dropped;
  }

  #nextBlock() {
    this.#recycle(this.#blocks[this.#head]);
    this.#head++;
    this.#readAt = 0;
    // Amortised: half of the array goes at a time.
    if (this.#head * 2 >= this.#blocks.length) {
      this.#blocks.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** @param {Float32Array} block */
  #recycle(block) {
    if (this.#spare.length < SPARE_BLOCKS) this.#spare.push(block);
  }
}
