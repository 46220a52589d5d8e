// @ts-check
/**
 * The playback processor: `{push: Float32Array}` and `{flush: true}` in, reports out.
 *
 * A report goes out every 50 ms while something is heard, and at once when speech starts, when it
 * ends, and when a flush has become silence.
 */

import { rms } from "../pcm.js";
import { Player } from "../player.js";

const REPORT_S = 0.05;

class PlaybackProcessor extends AudioWorkletProcessor {
  #player;
  #open = true;
  #sinceReport_frames = 0;
  #wasAudible = false;
  #lastSilenced = 0;

  /** @param {AudioWorkletNodeOptions} [options] */
  constructor(options) {
    super();
    this.#player = new Player(options?.processorOptions.rate_hz, sampleRate);
    this.port.onmessage = ({ data }) => this.#receive(data);
  }

  /** @param {{push?: Float32Array, flush?: boolean, close?: boolean}} message */
  #receive(message) {
    if (message.push) this.#player.push(message.push);
    if (message.flush) this.#player.flush();
    if (message.close) this.#open = false;
  }

  /**
   * @param {Float32Array[][]} _inputs
   * @param {Float32Array[][]} outputs
   */
  process(_inputs, outputs) {
    const [first, ...others] = outputs[0];
    this.#player.render(first);
    for (const channel of others) channel.set(first);
    this.#report(first);
    return this.#open;
  }

  /** @param {Float32Array} heard */
  #report(heard) {
    this.#sinceReport_frames += heard.length;
    const report = this.#player.report();
    const turned = report.audible !== this.#wasAudible;
    const silenced = report.silencedFlush !== this.#lastSilenced;
    const due = report.audible && this.#sinceReport_frames >= REPORT_S * sampleRate;
    if (!turned && !silenced && !due) return;
    this.#sinceReport_frames = 0;
    this.#wasAudible = report.audible;
    this.#lastSilenced = report.silencedFlush;
    this.port.postMessage({ ...report, level: report.audible ? rms(heard) : 0 });
  }
}

registerProcessor("livegate-playback", PlaybackProcessor);
