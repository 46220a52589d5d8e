// @ts-check
/** Wires the page: the session decides, this carries out. */

import { AccountView, blocked } from "./account.js";
import { Connection } from "./connection.js";
import { byId, putWords } from "./dom.js";
import { fetchConfig, fetchMe, fetchStatus, socketUrl } from "./gateway.js";
import { Find } from "./find.js";
import { holdToTalk } from "./hold.js";
import { readPicture, takePictures } from "./images.js";
import { wireKeep } from "./keep.js";
import { Media } from "./media.js";
import * as protocol from "./protocol.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { PAGE, S } from "./strings.js";
import { survive } from "./survive.js";
import { Toolbelt } from "./toolbelt.js";
import { TranscriptView } from "./transcript-view.js";
import { Transcript } from "./transcript.js";
import { View } from "./view.js";

/** How often an unreachable or unready gateway is asked again while nobody talks. */
const ASK_AGAIN_MS = 4000;

/** Everything that exists once the gateway's config is there. */
class App {
  #view;
  #config;
  #toolbelt;
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
  #find = new Find(byId("transcript", HTMLElement));
  #media;
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
    this.#toolbelt = new Toolbelt(() => this.#connection, config.limits.audio_chunk_ms);
    this.#view = view;
    this.#config = config;
    this.#settings = new Settings(config, (name) => this.#media.prefer(name));
    this.#choices = this.#settings.choices;
    this.#model = this.#settings.model;
    this.#session = new Session(config.closes, config.resume_window_s);
    this.#media = new Media(config.limits, () => this.#settings.prefs, {
      send: (kind, message) => this.#sendMedia(kind, message),
      mic: (mic) => this.#receive({ type: "mic", mic }),
      spoke: (level) => this.#toolbelt.spoke(level),
      speaking: (speaking) => this.#receive({ type: "speaking", speaking }),
      showing: (source, facing) => view.showVideo(source, facing),
      problem: (text) => view.notice(text),
    });
    if (this.#settings.linked) view.notice(S.linkUsed);
    if (!window.isSecureContext) view.notice(S.needsHttps);
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
    this.#toolbelt.allow(me.signed_in);
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
      ...this.#media.counters,
      state: this.#session.state.phase,
      sent: { ...this.#sent },
      dropped: this.#connection?.dropped ?? { audio: 0, video: 0 },
    };
  }

  #wire() {
    byId("talk", HTMLButtonElement).addEventListener("click", () => this.#talk());
    byId("mic", HTMLButtonElement).addEventListener("click", () => this.#toggleMic());
    for (const source of /** @type {const} */ (["camera", "screen"])) {
      const button = byId(source, HTMLButtonElement);
      button.addEventListener("click", () => void this.#media.toggleVideo(source));
    }
    byId("flip", HTMLButtonElement).addEventListener("click", () => void this.#media.flip());
    holdToTalk(
      () => this.#choices.input === "push" && this.#session.state.mic === "on" && !this.resting,
      (held) => {
        this.#media.hold(held);
        this.#receive({ type: "held", held: this.#media.held });
      },
    );
    takePictures(document.body, (files) => void this.#showPictures(files));
    wireKeep({
      entries: () => this.#transcript.entries,
      model: () => this.#choices.model,
      recording: this.#media.recording,
      say: (text) => this.#view.notice(text),
    });
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
    survive({
      online: () => this.#receive({ type: "online" }),
      offline: () => this.#receive({ type: "offline" }),
      // What was connected before a sleep is mostly dead, and nobody says so.
      woke: () => this.#receive({ type: "online" }),
      leave: () => this.#receive({ type: "stop" }),
    });
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
    const first = protocol.setupMessage(this.#choices, this.#model);
    this.#connection = this.#dial(this.#toolbelt.begin(first, this.#model));
    this.#tokens = 0;
    this.#transcript.begin();
    this.#view.showUsage(null, 0);
    this.#media.begin(this.#choices.input === "push");
    const { answer, input } = this.#choices;
    this.#receive({ type: "start", answer, input, ...how });
  }

  #toggleMic() {
    if (this.#session.state.mic === "off") void this.#media.openMic();
    else this.#media.closeMic();
  }

  /** @param {File[]} files that the person pasted or dropped */
  async #showPictures(files) {
    if (files.length === 0) return this.#view.notice(S.noPicture);
    if (!this.#view.allowed) return;
    if (this.resting) this.#start({ withMic: false });
    if (!this.#model?.input.includes("video")) return this.#view.notice(S.modelTakesNoPictures);
    for (const file of files) {
      try {
        const { base64, canvas } = await readPicture(file, this.#config.limits.video_long_side_px);
        // Not "video": that is dropped where the line is slow, and this was chosen.
        this.#connection?.send(protocol.videoMessage(base64));
        this.#sent.video++;
        this.#apply(this.#transcript.userTyped(S.picture));
        this.#transcriptView.attach(canvas, S.picture);
      } catch {
        this.#view.notice(S.noPicture);
      }
    }
  }

  /**
   * What is said or shown before the conversation has begun is not kept: it would come late.
   * @param {"audio" | "video" | "control"} kind
   * @param {object} message
   */
  #sendMedia(kind, message) {
    if (!this.#session.takesMedia) return;
    this.#connection?.send(message, kind);
    if (kind !== "control") this.#sent[kind]++;
  }

  /** @param {import("./states.js").Event} event */
  #receive(event) {
    this.#toolbelt.receive(event);
    const actions = this.#session.receive(event, performance.now(), Math.random());
    for (const action of actions) this.#carryOut(action);
    this.#show();
  }

  #show() {
    this.#view.show(this.#session.state, this.#model?.input.includes("video") ?? false);
    this.#settings.setLive(!this.resting);
  }

  /** @param {import("./states.js").Action} action */
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
        return void this.#media.openMic();
      case "closeMedia":
        return this.#media.end();
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
        return this.#media.play(action);
      case "flush":
        return this.#media.flush();
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

  /** @param {Extract<import("./states.js").Action, {do: "userSaid" | "userTyped" | "modelSaid" | "interrupted" | "turnComplete" | "note"}>} action */
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
    this.#apply(changes);
  }

  /** @param {import("./transcript.js").Change[]} changes */
  #apply(changes) {
    if (this.#transcript.entries.length > 0) this.#view.hideWelcome();
    this.#transcriptView.apply(changes);
    this.#find.refresh();
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
}

/** @param {View} view */
async function begin(view) {
  view.line(S.lookingForGateway);
  const [config, me] = await Promise.all([fetchConfig(), fetchMe()]);
  if (!config || !me) {
    view.line(`${S.unreachedAt(location.host)} ${S.tryingAgain}`);
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
      if (!status) view.gatewayNotice(S.unreachedAt(location.host));
      else if (!status.ok) view.gatewayNotice(S.notReady(status.missing));
      else view.clearGatewayNotice();
    }
  }
  setTimeout(() => void watchStatus(app, view), ASK_AGAIN_MS);
}

putWords(PAGE, S);
void begin(new View());
