// @ts-check
/** Camera or screen, one at a time: a preview, and JPEG frames at the API's pace and size. */

import { askFor } from "./devices.js";
import { toBase64 } from "./pcm.js";
import { cameraConstraints, QUALITIES } from "./prefs.js";

/** @typedef {"camera" | "screen"} Source */

/**
 * The size of a frame: the long side at most `longSide_px`, never enlarged. Pure.
 * @param {number} width
 * @param {number} height
 * @param {number} longSide_px
 */
export function frameSize(width, height, longSide_px) {
  const scale = Math.min(1, longSide_px / Math.max(width, height));
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

/**
 * @param {string | undefined} id of a camera
 * @returns {Promise<string>} the id of the next one
 */
async function cameraAfter(id) {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const ids = devices.filter(({ kind }) => kind === "videoinput").map(({ deviceId }) => deviceId);
  return ids[(ids.indexOf(id ?? "") + 1) % ids.length] ?? "";
}

/**
 * @typedef {Object} VideoEvents
 * @property {(base64: string) => void} frame a JPEG
 * @property {(source: Source | null) => void} changed what is shown now
 * @property {() => void} lost it went away by itself
 */

/** The one source of pictures. */
export class Video {
  #preview;
  #longSide_px;
  #prefs;
  /** @type {"user" | "environment"} */
  #facing = "user";
  /** Switched to, instead of the chosen one: "" for the one that faces `#facing`. @type {string | null} */
  #other = null;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  #events;
  #canvas = document.createElement("canvas");
  #turn = 0;
  /** @type {Source | null} */
  #source = null;
  /** @type {(() => void) | null} */
  #release = null;

  /**
   * @param {HTMLVideoElement} preview
   * @param {number} longSide_px that the API takes
   * @param {() => import("./prefs.js").Prefs} prefs
   * @param {VideoEvents} events
   */
  constructor(preview, longSide_px, prefs, events) {
    this.#preview = preview;
    this.#longSide_px = longSide_px;
    this.#prefs = prefs;
    this.#events = events;
  }

  /** What is shown, null if nothing is. */
  get source() {
    return this.#source;
  }

  /**
   * Asks for a source and shows it instead of what is shown.
   * @param {Source} source
   * @throws {DOMException | TypeError} as `getUserMedia` and `getDisplayMedia`; what was shown goes on
   */
  async start(source) {
    const turn = ++this.#turn;
    // A phone has one camera at a time.
    if (source === "camera" && this.#source === "camera") this.#release?.();
    const stream = await this.#ask(source);
    if (turn !== this.#turn) {
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    this.#release?.();
    this.#show(source, stream);
  }

  /**
   * The camera on the other side.
   * @throws {DOMException} as `start`
   */
  async flip() {
    const { deviceId, facingMode } = this.#track?.getSettings() ?? {};
    if (facingMode) this.#facing = this.#facing === "user" ? "environment" : "user";
    // A desktop's cameras face nowhere: the next one in the list.
    this.#other = facingMode ? "" : await cameraAfter(deviceId);
    await this.start("camera");
  }

  /** The chosen camera is asked for again, not the one that was switched to. */
  forgetFlip() {
    this.#other = null;
  }

  /** Which camera would be asked for. */
  get facing() {
    return this.#facing;
  }

  /** Shows nothing. */
  stop() {
    this.#turn++;
    if (!this.#release) return;
    this.#release();
    this.#release = null;
    this.#source = null;
    this.#events.changed(null);
  }

  /** @param {Source} source */
  #ask(source) {
    if (source === "screen") return navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 5 } });
    const camera = this.#other ?? this.#prefs().camera;
    return askFor("video", cameraConstraints({ camera }, this.#facing));
  }

  /**
   * @param {Source} source
   * @param {MediaStream} stream
   */
  #show(source, stream) {
    const preview = this.#preview;
    const [track] = stream.getVideoTracks();
    this.#track = track;
    // The browser has its own button to stop sharing.
    track.onended = () => {
      this.stop();
      if (source === "camera") this.#events.lost();
    };
    preview.srcObject = stream;
    preview.onloadeddata = () => void this.#capture();
    void preview.play().catch(() => {
      // Replaced or stopped before it began; nothing to show then.
    });
    const timer = setInterval(() => void this.#capture(), 1000 / this.#prefs().fps);
    this.#release = () => {
      clearInterval(timer);
      track.onended = null;
      track.stop();
      preview.onloadeddata = null;
      preview.srcObject = null;
    };
    this.#source = source;
    this.#events.changed(source);
  }

  async #capture() {
    const { videoWidth, videoHeight } = this.#preview;
    if (!videoWidth || !videoHeight) return;
    const turn = this.#turn;
    const { part, jpeg } = QUALITIES[this.#prefs().quality];
    Object.assign(this.#canvas, frameSize(videoWidth, videoHeight, this.#longSide_px * part));
    const { width, height } = this.#canvas;
    this.#canvas.getContext("2d")?.drawImage(this.#preview, 0, 0, width, height);
    const blob = await new Promise((/** @type {(blob: Blob | null) => void} */ done) => {
      this.#canvas.toBlob(done, "image/jpeg", jpeg);
    });
    const bytes = blob && new Uint8Array(await blob.arrayBuffer());
    // The source may have gone while the frame was packed.
    if (bytes && turn === this.#turn) this.#events.frame(toBase64(bytes));
  }
}
