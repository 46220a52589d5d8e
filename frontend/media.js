// @ts-check
/** Microphone, loudspeaker, camera and screen of one page, and what is kept of the two voices. */

import { setAudioSession, setSpeaker } from "./audio.js";
import { Microphone } from "./capture.js";
import { Devices } from "./devices.js";
import { byId } from "./dom.js";
import { Meter } from "./meter.js";
import { bytesToPcm16, fromBase64 } from "./pcm.js";
import { Playback } from "./playback.js";
import { audioConstraints } from "./prefs.js";
import { deviceLost, deviceProblem } from "./problems.js";
import * as protocol from "./protocol.js";
import { PushToTalk } from "./push.js";
import { Recording } from "./recording.js";
import { Video } from "./video.js";

/**
 * @typedef {Object} MediaEvents
 * @property {(kind: "audio" | "video" | "control", message: object) => void} send
 * @property {(mic: "off" | "asking" | "on") => void} mic
 * @property {(level: number | null) => void} spoke a chunk was sent, this loud (root mean square);
 *   null: the key to talk was released
 * @property {(speaking: boolean) => void} speaking
 * @property {(source: import("./video.js").Source | null, facing: "user" | "environment") => void} showing
 * @property {(text: string) => void} problem what happened, and what to do
 */

const now_s = () => performance.now() / 1000;

/** See the module's text. */
export class Media {
  #events;
  #in_hz;
  #prefs;
  #userMeter = new Meter(byId("meter-user", HTMLElement));
  #modelMeter = new Meter(byId("meter-model", HTMLElement));
  #userOrb = new Meter(byId("orb-user", HTMLElement));
  #modelOrb = new Meter(byId("orb-model", HTMLElement));
  #playback;
  #microphone;
  #video;
  #push;
  #devices;
  #pushing = false;
  #on = false;
  #captured = 0;

  /** Both voices of the conversation. */
  recording = new Recording();

  /**
   * @param {import("./gateway.js").Limits} limits
   * @param {() => import("./prefs.js").Prefs} prefs
   * @param {MediaEvents} events
   */
  constructor(limits, prefs, events) {
    this.#events = events;
    this.#in_hz = limits.audio_in_rate_hz;
    this.#prefs = prefs;
    this.#push = new PushToTalk(limits.audio_chunk_ms);
    this.#playback = new Playback(limits.audio_out_rate_hz, {
      speaking: events.speaking,
      level: (level) => {
        this.#modelMeter.set(level);
        this.#modelOrb.set(level);
      },
    });
    this.#microphone = new Microphone(
      { rate_hz: this.#in_hz, chunk_ms: limits.audio_chunk_ms },
      {
        chunk: (base64, level, pcm) => this.#heard(base64, level, pcm),
        lost: () => {
          this.#off();
          void this.#lost("microphone");
        },
      },
    );
    this.#video = new Video(byId("preview", HTMLVideoElement), limits.video_long_side_px, prefs, {
      frame: (base64) => events.send("video", protocol.videoMessage(base64)),
      changed: (source) => events.showing(source, this.#video.facing),
      lost: () => void this.#lost("camera"),
    });
    this.#devices = new Devices(prefs, (which) => this.prefer(which));
    void setSpeaker(prefs().speaker);
  }

  /** Numbers for tests and curious people. */
  get counters() {
    return { ...this.#playback.counters, captured: this.#captured };
  }

  /** What is shown to the model, null if nothing is. */
  get source() {
    return this.#video.source;
  }

  /**
   * A conversation begins. Call it from a click or a key: browsers want that before sound.
   * @param {boolean} pushing the person holds a key to talk
   */
  begin(pushing) {
    this.#pushing = pushing;
    this.recording.clear();
    setAudioSession(true);
    this.#playback.open().catch((error) => this.#problem("sound", error));
  }

  /** It is over. */
  end() {
    this.#microphone.stop();
    this.#on = false;
    this.#push.stop();
    this.#video.stop();
    setAudioSession(false);
  }

  async openMic() {
    this.#events.mic("asking");
    try {
      if (!(await this.#microphone.start(audioConstraints(this.#prefs())))) return;
      this.#on = true;
      this.#events.mic("on");
      void this.#devices.refresh();
    } catch (error) {
      this.#off();
      this.#problem("microphone", error);
    }
  }

  closeMic() {
    this.#microphone.stop();
    this.#off();
  }

  /** @param {boolean} held the key to talk */
  hold(held) {
    if (held && this.#on) this.#say(this.#push.press());
    else this.#push.release();
  }

  /** The key is held, and the microphone on. */
  get held() {
    return this.#push.held;
  }

  /** @param {import("./video.js").Source} source */
  async toggleVideo(source) {
    if (this.#video.source === source) return this.#video.stop();
    await this.#show(source, () => this.#video.start(source));
  }

  /** The other camera. */
  async flip() {
    await this.#show("camera", () => this.#video.flip());
  }

  /**
   * A setting of the devices was changed, or a chosen device came or went.
   * @param {string} name
   */
  prefer(name) {
    if (name === "record" && !this.#prefs().record) this.recording.clear();
    if (name === "camera") this.#video.forgetFlip();
    if (name === "speaker") void setSpeaker(this.#prefs().speaker);
    else if (["mic", "echo", "noise", "gain"].includes(name)) {
      if (this.#on) void this.openMic();
    } else if (["camera", "fps"].includes(name)) {
      if (this.source === "camera") void this.#show("camera", () => this.#video.start("camera"));
    }
  }

  /** @param {import("./protocol.js").AudioData} audio of the model */
  play({ data, rate_hz }) {
    if (this.#prefs().record) {
      this.recording.answered(bytesToPcm16(fromBase64(data)), rate_hz, now_s());
    }
    this.#playback.play(data, rate_hz);
  }

  /** The model is silent, at once. */
  flush() {
    this.recording.cut(now_s());
    this.#playback.flush();
  }

  /**
   * @param {string} base64
   * @param {number} level
   * @param {Int16Array} pcm
   */
  #heard(base64, level, pcm) {
    this.#captured++;
    const told = this.#pushing && !this.#push.held ? 0 : level;
    this.#userMeter.set(told);
    this.#userOrb.set(told);
    if (this.#prefs().record) this.recording.said(pcm, this.#in_hz, now_s());
    if (this.#pushing) return this.#say(this.#push.heard(base64));
    this.#events.send("audio", protocol.audioMessage(base64, this.#in_hz));
    this.#events.spoke(level);
  }

  /** @param {import("./push.js").Part[]} parts */
  #say(parts) {
    for (const part of parts) {
      if (part === "start") this.#events.send("control", protocol.activityStartMessage());
      else if (part === "end") this.#events.send("control", protocol.activityEndMessage());
      else this.#events.send("audio", protocol.audioMessage(part.audio, this.#in_hz));
      if (part === "end") this.#events.spoke(null);
    }
  }

  #off() {
    this.#on = false;
    this.#say(this.#push.stop());
    this.#events.mic("off");
  }

  /**
   * @param {import("./video.js").Source} source
   * @param {() => Promise<void>} start
   */
  async #show(source, start) {
    try {
      await start();
      void this.#devices.refresh();
    } catch (error) {
      this.#problem(source, error);
    }
  }

  /**
   * It was unplugged, or the person took the permission back.
   * @param {"microphone" | "camera"} device
   */
  async #lost(device) {
    const name = /** @type {PermissionName} */ (device);
    const permission = await navigator.permissions?.query({ name }).catch(() => null);
    this.#events.problem(deviceLost(device, permission?.state === "denied"));
  }

  /**
   * @param {import("./problems.js").Device} device
   * @param {unknown} error
   */
  #problem(device, error) {
    const text = deviceProblem(device, error, window.isSecureContext);
    if (text) this.#events.problem(text);
  }
}
