// @ts-check
/** Shows the session's state: the state line, what can be pressed, and notices. */

import { byId } from "./dom.js";
import { S } from "./strings.js";
import { countdown, describe } from "./words.js";

/** @typedef {import("./states.js").State} State */

/** How often a countdown is looked at. */
const COUNT_EVERY_MS = 200;

/** See the module's text. */
export class View {
  #root = document.documentElement;
  #state = byId("state", HTMLElement);
  #countdown = byId("countdown", HTMLElement);
  #talk = byId("talk", HTMLButtonElement);
  #talkLabel = byId("talk-label", HTMLElement);
  #mic = byId("mic", HTMLButtonElement);
  #camera = byId("camera", HTMLButtonElement);
  #screen = byId("screen", HTMLButtonElement);
  #text = byId("text", HTMLTextAreaElement);
  #send = byId("send", HTMLButtonElement);
  #notice = byId("notice", HTMLElement);
  #noticeText = byId("notice-text", HTMLElement);
  #usage = byId("usage", HTMLElement);
  #transcript = byId("transcript", HTMLElement);
  #hold = byId("hold", HTMLButtonElement);
  #title = "";
  #talked = false;
  /** Why nobody can talk now. */
  #blocked = "";
  /** A notice that was dismissed isn't shown again every few seconds. */
  #dismissed = "";
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #counting;

  constructor() {
    byId("dismiss", HTMLButtonElement).addEventListener("click", () => {
      this.#dismissed = this.#noticeText.textContent ?? "";
      this.notice("");
    });
    // A phone has no screen to share.
    this.#screen.hidden = !navigator.mediaDevices?.getDisplayMedia;
  }

  /** @param {import("./gateway.js").Config} config */
  showConfig(config) {
    this.#title = config.title;
    document.title = config.title;
    byId("title", HTMLElement).textContent = config.title;
    const upstream = byId("upstream", HTMLElement);
    upstream.textContent = new Map(Object.entries(S.upstreams)).get(config.upstream) ?? "";
    upstream.hidden = !upstream.textContent;
    this.#talk.disabled = false;
    this.allow("");
  }

  /** Somebody may talk. */
  get allowed() {
    return this.#blocked === "";
  }

  /** @param {string} blocked why nobody can talk now; "": they can */
  allow(blocked) {
    this.#blocked = blocked;
    this.#talk.hidden = this.#text.disabled = blocked !== "";
    this.showText();
  }

  /**
   * @param {Readonly<State>} state
   * @param {boolean} takesVideo whether the model does
   */
  show(state, takesVideo) {
    const { phase } = state;
    const active = phase !== "idle" && phase !== "closed";
    this.#talked ||= active;
    this.#root.dataset.state = shown(state);
    this.#root.dataset.speaking = String(state.speaking);
    this.#root.dataset.failed = String(phase === "closed" && state.failed);
    const line = phase === "idle" && this.#blocked ? this.#blocked : describe(state);
    this.line(line);
    // A tab in the background still tells how it is.
    if (this.#title) document.title = active ? `${line} – ${this.#title}` : this.#title;
    this.#hold.hidden = !active || state.input === "open";
    this.#hold.disabled = state.mic !== "on";
    // The button that was pressed to begin would now end it all, by the space bar, too.
    if (!this.#hold.hidden && !this.#hold.disabled && document.activeElement === this.#talk) {
      this.#hold.focus();
    }
    this.#hold.ariaPressed = String(state.held);
    this.#count(state);
    setText(this.#talkLabel, active ? S.end : this.#talked ? S.startAgain : S.start);
    this.#text.placeholder = active ? S.type : S.typeInstead;
    this.#mic.disabled = !active;
    this.#mic.ariaPressed = String(state.mic === "on");
    this.#mic.ariaBusy = String(state.mic === "asking");
    this.#camera.disabled = this.#screen.disabled = !active || !takesVideo;
    // Read aloud, the model's own voice would be spoken over.
    this.#transcript.ariaLive = state.answer === "text" ? "polite" : "off";
    if (phase === "live") this.clearGatewayNotice();
  }

  /** The state line, for what isn't the session's: loading, a gateway that is away. @param {string} text */
  line(text) {
    setText(this.#state, text);
  }

  /** @param {Readonly<State>} state */
  #count(state) {
    clearInterval(this.#counting);
    const count = () => setText(this.#countdown, countdown(state, performance.now()));
    count();
    if (state.phase === "waiting") this.#counting = setInterval(count, COUNT_EVERY_MS);
  }

  /**
   * @param {import("./video.js").Source | null} source
   * @param {"user" | "environment"} facing
   */
  showVideo(source, facing) {
    this.#camera.ariaPressed = String(source === "camera");
    this.#screen.ariaPressed = String(source === "screen");
    const figure = byId("video", HTMLElement);
    figure.hidden = source === null;
    figure.dataset.source = source ?? "";
    figure.dataset.facing = facing;
    byId("video-caption", HTMLElement).textContent = source === "screen" ? S.yourScreen : S.yourCamera;
  }

  /** Follows what is in the text box. */
  showText() {
    this.#send.disabled = this.#text.disabled || this.#text.value.trim() === "";
  }

  /** Takes the text out of the box. */
  takeText() {
    const text = this.#text.value.trim();
    this.#text.value = "";
    this.showText();
    return text;
  }

  hideWelcome() {
    byId("welcome", HTMLElement).hidden = true;
    for (const id of ["open-find", "open-keep"]) byId(id, HTMLElement).hidden = false;
  }

  /**
   * @param {import("./protocol.js").Usage | null} last of the last turn
   * @param {number} session_tokens since the conversation began
   */
  showUsage(last, session_tokens) {
    this.#usage.hidden = last === null;
    if (last) setText(this.#usage, S.tokens(session_tokens.toLocaleString(S.lang)));
  }

  /**
   * Something to read and, mostly, to do; stays until dismissed or replaced.
   * @param {string} text "" takes it away
   */
  notice(text) {
    setText(this.#noticeText, text);
    this.#notice.hidden = text === "";
    this.#notice.dataset.about = "";
  }

  /**
   * As `notice`, but about the gateway: gone by itself once that is well, and never in the place
   * of a notice about something else.
   * @param {string} text
   */
  gatewayNotice(text) {
    const other = !this.#notice.hidden && this.#notice.dataset.about !== "gateway";
    if (other || text === this.#dismissed) return;
    this.notice(text);
    this.#notice.dataset.about = "gateway";
  }

  /** Takes such a notice away, and no other. */
  clearGatewayNotice() {
    this.#dismissed = "";
    if (this.#notice.dataset.about === "gateway") this.notice("");
  }
}

/**
 * What end-to-end tests and the style sheet see of a state.
 * @param {Readonly<State>} state
 */
function shown({ phase, resumable }) {
  if (phase === "waiting") return resumable ? "resuming" : "connecting";
  return phase === "away" ? "resuming" : phase;
}

/**
 * Only real changes: a status region that is written again is read again.
 * @param {HTMLElement} element
 * @param {string} text
 */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
