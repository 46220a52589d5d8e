// @ts-check
/**
 * Both voices on one time line, as they were said and heard, and the WAV file of it. Pure.
 *
 * Left is the person, right is the model. The model's audio comes faster than it is heard: each
 * piece begins where the one before it ends, and what was cut off was not heard.
 */

import { Resampler } from "./resample.js";

/** 20 minutes are about 100 MB; what is older goes. */
const MAX_S = 20 * 60;
const JITTER_S = 0.05;

/** @typedef {{at_s: number, rate_hz: number, pcm: Int16Array}} Piece */

/** See the module's text. */
export class Recording {
  /** @type {{user: Piece[], model: Piece[]}} */
  #tracks = { user: [], model: [] };
  #ends = { user: 0, model: 0 };

  /** Nothing is recorded. */
  get empty() {
    return this.#tracks.user.length + this.#tracks.model.length === 0;
  }

  /** Another conversation. */
  clear() {
    this.#tracks = { user: [], model: [] };
    this.#ends = { user: 0, model: 0 };
  }

  /**
   * The person said it; it ends now.
   * @param {Int16Array} pcm
   * @param {number} rate_hz
   * @param {number} now_s by any monotonic clock
   */
  said(pcm, rate_hz, now_s) {
    this.#add("user", pcm, rate_hz, now_s - pcm.length / rate_hz, now_s);
  }

  /**
   * The model's; it is heard after what came before, but not before now.
   * @param {Int16Array} pcm
   * @param {number} rate_hz
   * @param {number} now_s
   */
  answered(pcm, rate_hz, now_s) {
    this.#add("model", pcm, rate_hz, now_s, now_s);
  }

  /**
   * The model was silenced: the rest was not heard.
   * @param {number} now_s
   */
  cut(now_s) {
    const track = this.#tracks.model;
    while (track.length > 0 && track[track.length - 1].at_s >= now_s) track.pop();
    const last = track.at(-1);
    if (last) last.pcm = last.pcm.slice(0, Math.round((now_s - last.at_s) * last.rate_hz));
    this.#ends.model = Math.min(this.#ends.model, now_s);
  }

  /**
   * @param {number} rate_hz
   * @returns {Uint8Array<ArrayBuffer>} a WAV file, 16 bit, stereo
   */
  wav(rate_hz) {
    const pieces = [...this.#tracks.user, ...this.#tracks.model];
    const begin_s = Math.min(...pieces.map(({ at_s }) => at_s));
    const end_s = Math.max(...pieces.map(({ at_s, pcm, rate_hz: rate }) => at_s + pcm.length / rate));
    const frames = pieces.length > 0 ? Math.ceil((end_s - begin_s) * rate_hz) : 0;
    const samples = new Int16Array(2 * frames);
    for (const [channel, track] of [this.#tracks.user, this.#tracks.model].entries()) {
      for (const { at_s, pcm, rate_hz: from_hz } of track) {
        const first = Math.round((at_s - begin_s) * rate_hz);
        const converted = convert(pcm, from_hz, rate_hz);
        for (let i = 0; i < converted.length && first + i < frames; i++) {
          samples[2 * (first + i) + channel] = converted[i];
        }
      }
    }
    return withHeader(samples, rate_hz);
  }

  /**
   * @param {"user" | "model"} who
   * @param {Int16Array} pcm
   * @param {number} rate_hz
   * @param {number} from_s
   * @param {number} now_s
   */
  #add(who, pcm, rate_hz, from_s, now_s) {
    const track = this.#tracks[who];
    // Chunks come a little early or late; what is said has no gaps.
    const at_s = from_s - this.#ends[who] < JITTER_S ? this.#ends[who] : from_s;
    const last = track.at(-1);
    // A second is one piece: thousands of small ones would be slow, and click where they meet.
    if (last && last.rate_hz === rate_hz && last.pcm.length < rate_hz && at_s === this.#ends[who]) {
      const joined = new Int16Array(last.pcm.length + pcm.length);
      joined.set(last.pcm);
      joined.set(pcm, last.pcm.length);
      last.pcm = joined;
      this.#ends[who] = last.at_s + joined.length / rate_hz;
    } else {
      track.push({ at_s, rate_hz, pcm: pcm.slice() });
      this.#ends[who] = at_s + pcm.length / rate_hz;
    }
    while (track[0].at_s < now_s - MAX_S) track.shift();
  }
}

/**
 * @param {Int16Array} pcm
 * @param {number} from_hz
 * @param {number} to_hz
 * @returns {Int16Array}
 */
function convert(pcm, from_hz, to_hz) {
  if (from_hz === to_hz) return pcm;
  const input = Float32Array.from(pcm, (sample) => sample / 32768);
  const output = new Float32Array(Math.ceil((input.length * to_hz) / from_hz));
  const count = new Resampler(from_hz, to_hz).process(input, output);
  return Int16Array.from(output.subarray(0, count), (x) => Math.max(-1, Math.min(1, x)) * 32767);
}

/**
 * RIFF WAVE, PCM.
 * @param {Int16Array} samples interleaved stereo
 * @param {number} rate_hz
 * @returns {Uint8Array<ArrayBuffer>}
 */
function withHeader(samples, rate_hz) {
  const bytes = new Uint8Array(44 + samples.byteLength);
  const view = new DataView(bytes.buffer);
  const words = [
    [0, "RIFF"],
    [8, "WAVE"],
    [12, "fmt "],
    [36, "data"],
  ];
  for (const [at, word] of /** @type {[number, string][]} */ (words)) {
    bytes.set(new TextEncoder().encode(word), at);
  }
  view.setUint32(4, 36 + samples.byteLength, true);
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 2, true);
  view.setUint32(24, rate_hz, true);
  view.setUint32(28, rate_hz * 4, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 16, true);
  view.setUint32(40, samples.byteLength, true);
  bytes.set(new Uint8Array(samples.buffer), 44);
  return bytes;
}
