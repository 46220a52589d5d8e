// @ts-check
/** The model's voice: base64 PCM16 in, sound out, silence on demand. */

import { openAudio, outputLatency_s } from "./audio.js";
import { bytesToPcm16, fromBase64, pcm16ToFloat } from "./pcm.js";
import { Resampler } from "./resample.js";

/**
 * @typedef {Object} PlaybackEvents
 * @property {(audible: boolean) => void} speaking
 * @property {(level: number) => void} level 0 to 1, about 20 times a second while it speaks
 */

/** One output, kept for the life of the page. */
export class Playback {
  #rate_hz;
  #events;
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** What came before the worklet was there; null when there will be none. @type {Float32Array<ArrayBuffer>[] | null} */
  #early = [];
  /** @type {import("./player.js").PlayerReport} */
  #report = {
    played: 0,
    buffered: 0,
    flushes: 0,
    flushed: 0,
    gaps: 0,
    silencedFlush: 0,
    audible: false,
  };
  #received = 0;
  #flushes = 0;
  #flushedAt_ms = 0;
  #lastSilence_ms = 0;
  /** @type {{from_hz: number, resampler: Resampler} | null} */
  #converter = null;

  /**
   * @param {number} rate_hz what models send; anything else is converted to it
   * @param {PlaybackEvents} events
   */
  constructor(rate_hz, events) {
    this.#rate_hz = rate_hz;
    this.#events = events;
  }

  /** Counters for tests and curious people; samples are at the wire's rate. */
  get counters() {
    return {
      received: this.#received,
      played: this.#report.played,
      buffered: this.#report.buffered,
      flushed: this.#report.flushed,
      gaps: this.#report.gaps,
      flushes: this.#flushes,
      lastSilenceMs: this.#lastSilence_ms,
      outputLatencyMs: outputLatency_s() * 1000,
    };
  }

  /**
   * Gets ready to play. Call it from a click or a key. If it fails, what is played is discarded.
   * @throws {DOMException | TypeError} as `openAudio`
   */
  async open() {
    this.#early ??= [];
    const context = await openAudio().catch((error) => {
      this.#early = null;
      throw error;
    });
    if (this.#node?.context === context) return;
    const node = new AudioWorkletNode(context, "livegate-playback", {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { rate_hz: this.#rate_hz },
    });
    node.port.onmessage = ({ data }) => this.#reported(data);
    node.connect(context.destination);
    this.#node = node;
    for (const samples of this.#early?.splice(0) ?? []) this.#push(samples);
  }

  /**
   * Queues audio after what is queued already.
   * @param {string} base64 PCM16 little-endian mono
   * @param {number} rate_hz
   */
  play(base64, rate_hz) {
    const samples = this.#convert(pcm16ToFloat(bytesToPcm16(fromBase64(base64))), rate_hz);
    this.#received += samples.length;
    this.#push(samples);
  }

  /** Silences it, within 5 ms of the audio thread's getting the word. */
  flush() {
    this.#early?.splice(0);
    this.#converter = null;
    if (!this.#node) return;
    this.#flushes++;
    this.#flushedAt_ms = performance.now();
    this.#node.port.postMessage({ flush: true });
  }

  /** @param {Float32Array<ArrayBuffer>} samples */
  #push(samples) {
    if (this.#node) this.#node.port.postMessage({ push: samples }, [samples.buffer]);
    else this.#early?.push(samples);
  }

  /**
   * @param {Float32Array<ArrayBuffer>} samples
   * @param {number} rate_hz
   */
  #convert(samples, rate_hz) {
    if (rate_hz === this.#rate_hz) return samples;
    if (this.#converter?.from_hz !== rate_hz) {
      this.#converter = { from_hz: rate_hz, resampler: new Resampler(rate_hz, this.#rate_hz) };
    }
    const output = new Float32Array(Math.ceil((samples.length * this.#rate_hz) / rate_hz) + 1);
    return output.slice(0, this.#converter.resampler.process(samples, output));
  }

  /** @param {import("./player.js").PlayerReport & {level: number}} report */
  #reported(report) {
    const before = this.#report;
    this.#report = report;
    if (report.silencedFlush !== before.silencedFlush && report.silencedFlush === this.#flushes) {
      this.#lastSilence_ms = performance.now() - this.#flushedAt_ms;
    }
    if (report.audible !== before.audible) this.#events.speaking(report.audible);
    this.#events.level(report.level);
  }
}
