// @ts-check
/** Wires the page: the session decides, this carries out. */

import { AccountView, blocked } from "./account.js";
import { resumeAudio, setAudioSession } from "./audio.js";
import { Microphone } from "./capture.js";
import { Connection } from "./connection.js";
import { byId } from "./dom.js";
import { fetchConfig, fetchMe, fetchStatus, socketUrl } from "./gateway.js";
import { Meter } from "./meter.js";
import { Playback } from "./playback.js";
import { deviceLost, deviceProblem } from "./problems.js";
import * as protocol from "./protocol.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { TranscriptView } from "./transcript-view.js";
import { Transcript } from "./transcript.js";
import { Video } from "./video.js";
import { View } from "./view.js";

/** How often an unreachable or unready gateway is asked again while nobody talks. */
const ASK_AGAIN_MS = 4000;

/** Everything that exists once the gateway's config is there. */
class App {
  #view;
  #config;
  #account = new AccountView((me) => {
    if (me && !me.signed_in) this.#receive({ type: "stop" });
    if (me) this.showMe(me);
  });
  #settings;
  #session;
  #transcript = new Transcript();
  #transcriptView = new TranscriptView(
    byId("transcript", HTMLElement),
    byId("stage", HTMLElement),
    byId("latest", HTMLButtonElement),
  );
  #userMeter = new Meter(byId("meter-user", HTMLElement));
  #modelMeter = new Meter(byId("meter-model", HTMLElement));
  #orb = new Meter(byId("orb", HTMLElement));
  #playback;
  #microphone;
  #video;
  /** @type {Connection | null} */
  #connection = null;
  /** The choices that the running session was set up with. */
  #choices;
  #model;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #sent = { audio: 0, video: 0 };
  #tokens = 0;

  /**
   * @param {View} view
   * @param {import("./gateway.js").Config} config
   * @param {import("./gateway.js").Me} me
   */
  constructor(view, config, me) {
    const { limits } = config;
    this.#view = view;
    this.#config = config;
    this.#settings = new Settings(config);
    this.#choices = this.#settings.choices;
    this.#model = this.#settings.model;
    this.#session = new Session(config.closes);
    this.#playback = new Playback(limits.audio_out_rate_hz, {
      speaking: (speaking) => this.#receive({ type: "speaking", speaking }),
      level: (level) => {
        this.#modelMeter.set(level);
        this.#orb.set(level);
      },
    });
    this.#microphone = new Microphone(
      { rate_hz: limits.audio_in_rate_hz, chunk_ms: limits.audio_chunk_ms },
      {
        chunk: (base64, level) => this.#heard(base64, level),
        lost: () => {
          this.#receive({ type: "mic", mic: "off" });
          view.notice(deviceLost("microphone"));
        },
      },
    );
    this.#video = new Video(
      byId("preview", HTMLVideoElement),
      { fps: limits.video_fps, longSide_px: limits.video_long_side_px },
      {
        frame: (base64) => this.#sendMedia("video", protocol.videoMessage(base64)),
        changed: (source) => view.showVideo(source),
      },
    );
    this.#wire();
    view.showConfig(config);
    this.showMe(me);
  }

  /**
   * Who is there, and whether they may talk.
   * @param {import("./gateway.js").Me} me
   */
  showMe(me) {
    this.#account.show(me);
    this.#view.allow(blocked(me));
    this.#show();
  }

  /** Nobody is talking: the place for words about the gateway itself. */
  get resting() {
    return this.#session.state.phase === "idle" || this.#session.state.phase === "closed";
  }

  /** Read-only numbers, for tests and curious people. */
  get diagnostics() {
    return {
      ...this.#playback.counters,
      state: this.#session.state.phase,
      sent: { ...this.#sent },
      dropped: this.#connection?.dropped ?? { audio: 0, video: 0 },
    };
  }

  #wire() {
    byId("talk", HTMLButtonElement).addEventListener("click", () => this.#talk());
    byId("mic", HTMLButtonElement).addEventListener("click", () => this.#toggleMic());
    for (const source of /** @type {const} */ (["camera", "screen"])) {
      byId(source, HTMLButtonElement).addEventListener("click", () => void this.#toggleVideo(source));
    }
    const text = byId("text", HTMLTextAreaElement);
    text.addEventListener("input", () => this.#view.showText());
    text.addEventListener("keydown", (event) => {
      // Enter also ends a word of an input method; Safari tells that only by the code 229.
      const composing = event.isComposing || event.keyCode === 229;
      if (event.key !== "Enter" || event.shiftKey || composing) return;
      event.preventDefault();
      this.#sendText();
    });
    byId("composer", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#sendText();
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) resumeAudio();
    });
    window.addEventListener("online", () => this.#receive({ type: "online" }));
    window.addEventListener("pagehide", () => this.#receive({ type: "stop" }));
  }

  #talk() {
    if (this.resting) this.#start({ withMic: true });
    else this.#receive({ type: "stop" });
  }

  #sendText() {
    const text = this.#view.takeText();
    if (!text) return;
    if (this.resting) this.#start({ withMic: false, text });
    else this.#receive({ type: "text", text });
  }

  /** @param {{withMic: boolean, text?: string}} how */
  #start(how) {
    this.#view.notice("");
    this.#choices = this.#settings.choices;
    this.#model = this.#settings.model;
    if (!this.#model) return;
    this.#connection = this.#dial(protocol.setupMessage(this.#choices, this.#model));
    this.#tokens = 0;
    this.#transcript.begin();
    this.#view.showUsage(null, 0);
    setAudioSession(true);
    // Here, because browsers let a page make sound only from within a click or a key.
    this.#playback.open().catch((error) => this.#problem("sound", error));
    this.#receive({ type: "start", answer: this.#choices.answer, ...how });
  }

  #toggleMic() {
    if (this.#session.state.mic === "off") void this.#openMic();
    else this.#closeMic();
  }

  async #openMic() {
    this.#receive({ type: "mic", mic: "asking" });
    try {
      if (await this.#microphone.start()) this.#receive({ type: "mic", mic: "on" });
    } catch (error) {
      this.#receive({ type: "mic", mic: "off" });
      this.#problem("microphone", error);
    }
  }

  #closeMic() {
    this.#microphone.stop();
    this.#receive({ type: "mic", mic: "off" });
  }

  /** @param {import("./video.js").Source} source */
  async #toggleVideo(source) {
    if (this.#video.source === source) {
      this.#video.stop();
      return;
    }
    try {
      await this.#video.start(source);
    } catch (error) {
      this.#problem(source, error);
    }
  }

  /**
   * @param {string} base64
   * @param {number} level
   */
  #heard(base64, level) {
    this.#userMeter.set(level);
    const message = protocol.audioMessage(base64, this.#config.limits.audio_in_rate_hz);
    this.#sendMedia("audio", message);
  }

  /**
   * What is said or shown before the conversation has begun is not kept: it would come late.
   * @param {"audio" | "video"} kind
   * @param {object} message
   */
  #sendMedia(kind, message) {
    if (!this.#session.takesMedia) return;
    this.#connection?.send(message, kind);
    this.#sent[kind]++;
  }

  /** @param {import("./session.js").Event} event */
  #receive(event) {
    const actions = this.#session.receive(event, performance.now(), Math.random());
    for (const action of actions) this.#carryOut(action);
    this.#show();
  }

  #show() {
    this.#view.show(this.#session.state, this.#model?.input.includes("video") ?? false);
    this.#settings.setLive(!this.resting);
  }

  /** @param {import("./session.js").Action} action */
  #carryOut(action) {
    switch (action.do) {
      case "connect":
        return this.#connect(action.resume);
      case "drop":
        return this.#connection?.drop();
      case "hangUp":
        return this.#connection?.close();
      case "answered":
        return this.#connection?.answered();
      case "sendText":
        return this.#model && this.#connection?.send(protocol.textMessage(action.text, this.#model));
      case "endAudioStream":
        return this.#connection?.send(protocol.audioStreamEndMessage());
      case "setTimer":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#receive({ type: "timer" }), action.ms);
        return;
      case "clearTimer":
        return clearTimeout(this.#timer);
      case "openMic":
        return void this.#openMic();
      case "closeMedia":
        this.#microphone.stop();
        this.#video.stop();
        return setAudioSession(false);
      case "askStatus":
        return void this.#askStatus();
      case "askSignIn":
        return void this.#account.renew({
          over: () => this.resting,
          say: (text) => this.#view.notice(text),
          renewed: (me) => {
            this.showMe(me);
            this.#receive({ type: "signedIn" });
          },
        });
      case "play":
        return this.#playback.play(action.data, action.rate_hz);
      case "flush":
        return this.#playback.flush();
      case "usage":
        this.#tokens += action.usage.total;
        return this.#view.showUsage(action.usage, this.#tokens);
      default:
        return this.#write(action);
    }
  }

  /** @param {boolean} resume */
  #connect(resume) {
    const turns = resume ? [] : this.#transcript.history();
    const model = this.#model;
    const told = turns.length > 0 && model;
    this.#connection?.connect(resume, told ? (setup) => protocol.withHistory(setup, turns, model) : null);
  }

  /** @param {Extract<import("./session.js").Action, {do: "userSaid" | "userTyped" | "modelSaid" | "interrupted" | "turnComplete" | "note"}>} action */
  #write(action) {
    const transcript = this.#transcript;
    const changes = (() => {
      switch (action.do) {
        case "userSaid":
          return transcript.userSaid(action.text, action.finished);
        case "userTyped":
          return transcript.userTyped(action.text);
        case "modelSaid":
          return transcript.modelSaid(action.text);
        case "interrupted":
          return transcript.interrupted();
        case "turnComplete":
          return transcript.turnComplete();
        case "note":
          return transcript.note(action.text);
      }
    })();
    if (transcript.entries.length > 0) this.#view.hideWelcome();
    this.#transcriptView.apply(changes);
  }

  /** @param {{setup: object}} setup */
  #dial(setup) {
    return new Connection(socketUrl(), setup, {
      opened: () => this.#receive({ type: "opened" }),
      fact: (fact) => this.#receive({ type: "fact", fact }),
      closed: (end) => this.#receive({ type: "closed", ...end }),
      overfull: () => this.#receive({ type: "overfull" }),
    });
  }

  async #askStatus() {
    const me = await fetchMe();
    if (me && !me.signed_in) {
      this.#receive({ type: "signedOut" });
      this.showMe(me);
      return;
    }
    const status = await fetchStatus();
    if (status && !status.ok) this.#receive({ type: "notReady", missing: status.missing });
  }

  /**
   * @param {import("./problems.js").Device} device
   * @param {unknown} error
   */
  #problem(device, error) {
    const text = deviceProblem(device, error, window.isSecureContext);
    if (text) this.#view.notice(text);
  }
}

/** @param {View} view */
async function begin(view) {
  view.line("Looking for the gateway…");
  const [config, me] = await Promise.all([fetchConfig(), fetchMe()]);
  if (!config || !me) {
    view.line(`The gateway at ${location.host} can't be reached. Trying again…`);
    setTimeout(() => void begin(view), ASK_AGAIN_MS);
    return;
  }
  const app = new App(view, config, me);
  // Getters only: a test reads it, nothing can be steered through it.
  Object.defineProperty(window, "livegate", { get: () => Object.freeze(app.diagnostics) });
  void watchStatus(app, view);
}

/**
 * Says what the gateway lacks while nobody talks; during a talk the session has the word.
 * @param {App} app
 * @param {View} view
 */
async function watchStatus(app, view) {
  if (app.resting && !document.hidden) {
    const [status, me] = await Promise.all([fetchStatus(), fetchMe()]);
    if (app.resting) {
      if (me) app.showMe(me);
      if (!status) view.gatewayNotice(`The gateway at ${location.host} can't be reached.`);
      else if (!status.ok) view.gatewayNotice(`The gateway isn't ready: ${status.missing.join("; ")}.`);
      else view.clearGatewayNotice();
    }
  }
  setTimeout(() => void watchStatus(app, view), ASK_AGAIN_MS);
}

void begin(new View());
