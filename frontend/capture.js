// @ts-check
/** The microphone: PCM16 chunks at the wire's rate while it is on. */

import { openAudio } from "./audio.js";
import { askFor } from "./devices.js";
import { pcm16ToBytes, toBase64 } from "./pcm.js";

/**
 * @typedef {Object} MicrophoneEvents
 * @property {(base64: string, level: number, pcm: Int16Array) => void} chunk level is 0 to 1
 * @property {() => void} lost the device went away by itself
 */

/** One microphone. Off, it holds no track: the browser's recording light goes out. */
export class Microphone {
  #rate_hz;
  #chunk_samples;
  #events;
  /** Counts starts and stops, so that a permission given too late isn't acted on. */
  #turn = 0;
  /** @type {(() => void) | null} */
  #release = null;

  /**
   * @param {{rate_hz: number, chunk_ms: number}} format
   * @param {MicrophoneEvents} events
   */
  constructor({ rate_hz, chunk_ms }, events) {
    this.#rate_hz = rate_hz;
    this.#chunk_samples = Math.round((rate_hz * chunk_ms) / 1000);
    this.#events = events;
  }

  /**
   * Asks for the microphone and starts it.
   * @param {MediaTrackConstraints} constraints
   * @returns {Promise<boolean>} false if it was stopped meanwhile
   * @throws {DOMException | TypeError} as `getUserMedia` and `openAudio`
   */
  async start(constraints) {
    this.stop();
    const turn = this.#turn;
    let opened;
    try {
      opened = await together(openAudio(), askFor("audio", constraints));
    } catch (error) {
      if (turn !== this.#turn) return false;
      throw error;
    }
    const [context, stream] = opened;
    if (turn !== this.#turn) {
      stopTracks(stream);
      return false;
    }
    this.#connect(context, stream);
    return true;
  }

  /** Turns it off, at once. */
  stop() {
    this.#turn++;
    this.#release?.();
    this.#release = null;
  }

  /**
   * @param {AudioContext} context
   * @param {MediaStream} stream
   */
  #connect(context, stream) {
    const source = context.createMediaStreamSource(stream);
    const node = new AudioWorkletNode(context, "livegate-capture", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
      processorOptions: { rate_hz: this.#rate_hz, chunk_samples: this.#chunk_samples },
    });
    node.port.onmessage = ({ data }) => {
      this.#events.chunk(toBase64(pcm16ToBytes(data.pcm)), data.level, data.pcm);
    };
    source.connect(node);
    const [track] = stream.getAudioTracks();
    track.onended = () => {
      this.stop();
      this.#events.lost();
    };
    this.#release = () => {
      track.onended = null;
      stopTracks(stream);
      source.disconnect();
      node.port.onmessage = null;
      node.port.postMessage("close");
    };
  }
}

/**
 * Both, or neither: a stream whose audio context failed would leave the recording light on.
 * @param {Promise<AudioContext>} opening
 * @param {Promise<MediaStream>} asking
 * @returns {Promise<[AudioContext, MediaStream]>}
 */
async function together(opening, asking) {
  try {
    return await Promise.all([opening, asking]);
  } catch (error) {
    asking.then(stopTracks, () => {});
    throw error;
  }
}

/** @param {MediaStream} stream */
function stopTracks(stream) {
  for (const track of stream.getTracks()) track.stop();
}
