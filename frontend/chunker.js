// @ts-check
/**
 * Microphone audio at any rate in, PCM16 chunks of one length at the wire's rate out.
 * Pure; the capture worklet is a shell around it.
 */

import { floatToPcm16, rms } from "./pcm.js";
import { Resampler } from "./resample.js";

/**
 * @typedef {Object} Chunk
 * @property {Int16Array} pcm
 * @property {number} level root mean square, 0 to 1
 */

/** Cuts one mono stream into chunks. */
export class Chunker {
  #resampler;
  #chunk;
  #filled = 0;
  #resampled;

  /**
   * @param {number} inRate_hz
   * @param {number} outRate_hz
   * @param {number} chunk_samples at the output rate
   */
  constructor(inRate_hz, outRate_hz, chunk_samples) {
    this.#resampler = new Resampler(inRate_hz, outRate_hz);
    this.#chunk = new Float32Array(chunk_samples);
    this.#resampled = new Float32Array(chunk_samples);
  }

  /**
   * @param {Float32Array} samples
   * @returns {Chunk[]} the chunks that these samples complete, oldest first
   */
  push(samples) {
    /** @type {Chunk[]} */
    const chunks = [];
    let input = samples;
    for (;;) {
      const room = this.#resampled.subarray(0, this.#chunk.length - this.#filled);
      const count = this.#resampler.process(input, room);
      this.#chunk.set(room.subarray(0, count), this.#filled);
      this.#filled += count;
      if (this.#filled < this.#chunk.length) return chunks;
      chunks.push({ pcm: floatToPcm16(this.#chunk), level: rms(this.#chunk) });
      this.#filled = 0;
      input = samples.subarray(samples.length);
    }
  }
}
