// @ts-check
/**
 * What is heard: model audio in, rendered quanta out, silent within 5 ms of a flush.
 *
 * Pure; the playback worklet is a shell around it. Audio is kept at the wire's rate and resampled
 * as it is rendered, so that a burst of a minute costs the audio thread no more than a trickle.
 */

import { Resampler } from "./resample.js";
import { SampleRing } from "./ring.js";

/** Long enough that cutting a vowel doesn't click. */
const FADE_S = 0.005;
/** Gathered before a start, so that a first small chunk isn't followed by a hole. */
const PREBUFFER_S = 0.06;
/** A gap between two chunks isn't the end of speech; this much silence is. */
const HOLD_S = 0.2;

/**
 * @typedef {Object} PlayerReport
 * @property {number} played samples of the input rendered so far
 * @property {number} buffered samples of the input still to be rendered
 * @property {number} flushes
 * @property {number} flushed samples of the input that flushes threw away
 * @property {number} gaps times that the audio ran out
 * @property {number} silencedFlush the latest flush whose fade has ended
 * @property {boolean} audible
 */

/** Plays one mono stream. */
export class Player {
  #ring = new SampleRing();
  #resampler;
  #outRate;
  #prebuffer;
  #input = new Float32Array(4096);
  /** The faded end of what a flush cut. */
  #tail = new Float32Array(0);
  #tailAt = 0;
  #started = false;
  #waited_frames = 0;
  #padded = 0;
  #silent_frames = 0;
  #played = 0;
  #flushes = 0;
  #flushed = 0;
  #gaps = 0;
  #silencedFlush = 0;
  #audible = false;

  /**
   * @param {number} inRate_hz of what is pushed
   * @param {number} outRate_hz of what is rendered
   */
  constructor(inRate_hz, outRate_hz) {
    this.#resampler = new Resampler(inRate_hz, outRate_hz);
    this.#outRate = outRate_hz;
    this.#prebuffer = PREBUFFER_S * inRate_hz;
  }

  /**
   * Queues audio. Nothing is ever dropped but by `flush()`.
   * @param {Float32Array} samples
   */
  push(samples) {
    this.#ring.write(samples);
  }

  /** Silences what is heard within 5 ms and forgets what is queued. */
  flush() {
    this.#flushes++;
    if (this.#started) {
      const tail = new Float32Array(Math.round(FADE_S * this.#outRate));
      this.#renderStream(tail);
      for (let i = 0; i < tail.length; i++) {
        tail[i] *= 0.5 + 0.5 * Math.cos((Math.PI * (i + 1)) / tail.length);
      }
      this.#tail = tail;
      this.#tailAt = 0;
    }
    this.#flushed += this.#ring.clear();
    this.#stop();
    if (this.#tailAt === this.#tail.length) this.#endFlush();
  }

  /**
   * Fills `output`, with silence where there is nothing to play.
   * @param {Float32Array} output
   */
  render(output) {
    const fading = Math.min(output.length, this.#tail.length - this.#tailAt);
    if (fading > 0) {
      output.set(this.#tail.subarray(this.#tailAt, this.#tailAt + fading));
      this.#tailAt += fading;
      if (this.#tailAt === this.#tail.length) this.#endFlush();
    }
    const rest = output.subarray(fading);
    if (rest.length === 0) return;
    if (!this.#started && this.#ready(rest.length)) this.#start();
    if (this.#started) {
      this.#renderStream(rest);
      if (this.#padded >= this.#resampler.tail_samples) {
        this.#gaps++;
        this.#stop();
      }
    } else {
      rest.fill(0);
      this.#silent_frames += rest.length;
      if (this.#silent_frames >= HOLD_S * this.#outRate) this.#audible = false;
    }
  }

  /** @returns {PlayerReport} */
  report() {
    return {
      played: this.#played,
      buffered: this.#ring.length,
      flushes: this.#flushes,
      flushed: this.#flushed,
      gaps: this.#gaps,
      silencedFlush: this.#silencedFlush,
      audible: this.#audible,
    };
  }

  /** @param {number} frames */
  #ready(frames) {
    if (this.#ring.length === 0) return false;
    if (this.#ring.length >= this.#prebuffer) return true;
    this.#waited_frames += frames;
    return this.#waited_frames >= PREBUFFER_S * this.#outRate;
  }

  #start() {
    this.#started = true;
    this.#audible = true;
    this.#silent_frames = 0;
    this.#padded = 0;
    this.#resampler.reset();
  }

  #stop() {
    this.#started = false;
    this.#waited_frames = 0;
  }

  #endFlush() {
    this.#silencedFlush = this.#flushes;
    this.#tail = new Float32Array(0);
    this.#tailAt = 0;
    if (!this.#started) this.#audible = false;
  }

  /** @param {Float32Array} output */
  #renderStream(output) {
    const needed = this.#resampler.needed(output.length);
    if (needed > this.#input.length) this.#input = new Float32Array(needed);
    const input = this.#input.subarray(0, needed);
    const got = this.#ring.read(input);
    // Silence after the last sample, both to push it out of the filter and to end on zero.
    input.fill(0, got);
    this.#played += got;
    this.#padded = got === needed ? 0 : this.#padded + needed - got;
    this.#resampler.process(input, output);
  }
}
