// @ts-check
/**
 * A streaming sample-rate converter: windowed sinc, exact rational phase. Pure; runs in worklets.
 *
 * Contexts run at whatever rate the device has (44.1 and 48 kHz, 16 kHz on headsets), the wire at
 * 16 kHz up and 24 kHz down. The output does not depend on how the input is cut into chunks.
 */

/** Zero crossings of the sinc on each side: the edge of the pass band against CPU and delay. */
const ZERO_CROSSINGS = 24;
/** Kaiser window: about 65 dB of stop-band attenuation. */
const KAISER_BETA = 6.5;
/** The cut-off as a share of the lower Nyquist frequency; the rest is the filter's slope. */
const CUTOFF = 0.94;
/** Odd rates would need a table of thousands of phases; this many err by less than 16 bits do. */
const MAX_PHASES = 1024;

/** Converts one mono stream from one rate to another. */
export class Resampler {
  #up;
  #down;
  #half;
  #phases;
  /** @type {Float32Array[]} */
  #table;
  /** @type {Float32Array<ArrayBufferLike>} */
  #buffer;
  #length = 0;
  #index = 0;
  #phase = 0;

  /**
   * @param {number} inRate_hz a whole number
   * @param {number} outRate_hz a whole number
   */
  constructor(inRate_hz, outRate_hz) {
    const divisor = gcd(inRate_hz, outRate_hz);
    this.#up = outRate_hz / divisor;
    this.#down = inRate_hz / divisor;
    const scale = Math.min(1, outRate_hz / inRate_hz) * CUTOFF;
    this.#half = Math.ceil(ZERO_CROSSINGS / scale);
    this.#phases = Math.min(this.#up, MAX_PHASES);
    this.#table =
      inRate_hz === outRate_hz
        ? [unitImpulse(this.#half)]
        : Array.from({ length: this.#phases }, (_, phase) =>
            sincTaps(this.#half, phase / this.#phases, scale),
          );
    this.#buffer = new Float32Array(4 * this.#half + 1024);
    this.reset();
  }

  /** Input samples of silence it takes to get the last real one out. */
  get tail_samples() {
    return 2 * this.#half;
  }

  /** Forgets the past: the next sample is the first of a new stream. */
  reset() {
    this.#buffer.fill(0);
    // Silence before the first sample, so that the first output sits exactly on it.
    this.#length = this.#half - 1;
    this.#index = this.#half - 1;
    this.#phase = 0;
  }

  /**
   * How many more input samples it takes until `count` output samples can be had.
   * @param {number} count
   * @returns {number}
   */
  needed(count) {
    if (count <= 0) return 0;
    const last = this.#index + Math.floor((this.#phase + (count - 1) * this.#down) / this.#up);
    return Math.max(0, last + this.#half + 1 - this.#length);
  }

  /**
   * Takes input and writes every output sample that can be had, as far as `output` has room;
   * what has no room is kept and comes first the next time.
   * @param {Float32Array} input
   * @param {Float32Array} output
   * @returns {number} how many samples were written
   */
  process(input, output) {
    this.#append(input);
    const buffer = this.#buffer;
    let written = 0;
    while (written < output.length && this.#index + this.#half < this.#length) {
      const taps = this.#table[Math.floor((this.#phase * this.#phases) / this.#up)];
      const from = this.#index - this.#half + 1;
      let sum = 0;
      for (let k = 0; k < taps.length; k++) sum += taps[k] * buffer[from + k];
      output[written++] = sum;
      this.#phase += this.#down;
      this.#index += Math.floor(this.#phase / this.#up);
      this.#phase %= this.#up;
    }
    this.#forget();
    return written;
  }

  /** @param {Float32Array} input */
  #append(input) {
    if (this.#length + input.length > this.#buffer.length) {
      const grown = new Float32Array(2 * (this.#length + input.length));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(input, this.#length);
    this.#length += input.length;
  }

  #forget() {
    // When down-sampling, the next output may lie past the end of what has come.
    const done = Math.min(this.#index - this.#half + 1, this.#length);
    if (done <= 0) return;
    this.#buffer.copyWithin(0, done, this.#length);
    this.#length -= done;
    this.#index -= done;
  }
}

/**
 * The filter for one fractional position, with a gain of exactly 1 at 0 Hz.
 * @param {number} half taps on each side
 * @param {number} fraction position between two input samples, 0 to 1
 * @param {number} scale cut-off as a share of the input's Nyquist frequency
 */
function sincTaps(half, fraction, scale) {
  const taps = new Float32Array(2 * half);
  let sum = 0;
  for (let k = 0; k < taps.length; k++) {
    const x = k - half + 1 - fraction;
    const angle = Math.PI * x * scale;
    taps[k] = (x === 0 ? 1 : Math.sin(angle) / angle) * kaiser(x / half);
    sum += taps[k];
  }
  for (let k = 0; k < taps.length; k++) taps[k] /= sum;
  return taps;
}

/** @param {number} half */
function unitImpulse(half) {
  const taps = new Float32Array(2 * half);
  taps[half - 1] = 1;
  return taps;
}

/** @param {number} x -1 to 1 */
function kaiser(x) {
  return Math.abs(x) >= 1 ? 0 : bessel(KAISER_BETA * Math.sqrt(1 - x * x)) / bessel(KAISER_BETA);
}

/**
 * Modified Bessel function of the first kind, order 0, by its power series.
 * @param {number} x
 */
function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let n = 1; term > sum * 1e-12; n++) {
    term *= (x / (2 * n)) ** 2;
    sum += term;
  }
  return sum;
}

/**
 * @param {number} a
 * @param {number} b
 * @returns {number}
 */
function gcd(a, b) {
  return b === 0 ? a : gcd(b, a % b);
}
