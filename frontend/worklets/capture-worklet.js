// @ts-check
/** The capture processor: microphone audio in, `{pcm: ArrayBuffer, level}` messages out. */

import { Chunker } from "../chunker.js";

class CaptureProcessor extends AudioWorkletProcessor {
  #chunker;
  #open = true;

  /** @param {AudioWorkletNodeOptions} [options] */
  constructor(options) {
    super();
    const { rate_hz, chunk_samples } = options?.processorOptions;
    this.#chunker = new Chunker(sampleRate, rate_hz, chunk_samples);
    this.port.onmessage = () => {
      this.#open = false;
    };
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const channel = inputs[0][0];
    if (channel && this.#open) {
      for (const { pcm, level } of this.#chunker.push(channel)) {
        this.port.postMessage({ pcm, level }, [pcm.buffer]);
      }
    }
    return this.#open;
  }
}

registerProcessor("livegate-capture", CaptureProcessor);
