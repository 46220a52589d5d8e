// @ts-check
/**
 * One conversation from "start" to "closed": a pure state machine, events in, actions out.
 *
 * It knows no DOM, clock, socket or audio. `receive(event, now_ms, random)` changes `state` and
 * returns what the shell must do, in order.
 */

import { closeRule } from "./closes.js";
import { Retry } from "./retry.js";
import { S } from "./strings.js";
import { tryAgainIn, withReason } from "./words.js";

/** A network that is just changing may swallow a connection without a word. */
const OPEN_MS = 10_000;
/** The gateway itself gives up after 20 s without a free worker; this is for when it says nothing. */
const ANSWER_MS = 25_000;

/** So long it is told that the session has moved. */
const MOVED_MS = 4000;

/** @type {Action} */
const ASK = { do: "askStatus" };

/**
 * @typedef {import("./states.js").State} State
 * @typedef {import("./states.js").Event} Event
 * @typedef {import("./states.js").Action} Action
 */

/** See the module's text. */
export class Session {
  #closes;
  #window_ms;
  #retry;
  /** Why the gateway is about to close. @type {NonNullable<import("./protocol.js").Notice["limit"]> | null} */
  #limit = null;
  #opened = false;
  /** The gateway gave a token, with which a session is resumed. */
  #hasToken = false;
  /** The model has taken the session; if not, resuming it is no more than queueing again. */
  #begun = false;
  /** So it was with this session or one before it, in this conversation. */
  #wasLive = false;
  #liveSince_ms = 0;
  /** What the person must know once the session is live again. */
  #news = "";
  /** @type {State} */
  #state = {
    phase: "idle",
    mic: "off",
    answer: "voice",
    input: "open",
    held: false,
    speaking: false,
    answering: false,
    thinking: false,
    resuming: false,
    moved: false,
    queued: false,
    offline: false,
    resumable: false,
    retryAt_ms: 0,
    reason: "",
    failed: false,
  };

  /**
   * @param {import("./closes.js").CloseTable} closes the gateway's table, from `/api/config`
   * @param {number} [window_s] how long the gateway keeps a session whose client is away
   */
  constructor(closes, window_s = 60) {
    this.#closes = closes;
    this.#window_ms = window_s * 1000;
    this.#retry = new Retry(0, this.#window_ms);
  }

  /** @returns {Readonly<State>} */
  get state() {
    return this.#state;
  }

  /** What is said and shown now belongs to the conversation, connected or not. */
  get takesMedia() {
    return this.#active && this.#wasLive;
  }

  get #active() {
    return this.#state.phase !== "idle" && this.#state.phase !== "closed";
  }

  /** The gateway's answer is awaited. */
  get #asking() {
    return this.#state.phase === "connecting" || this.#state.phase === "away";
  }

  /**
   * @param {Event} event
   * @param {number} now_ms any monotonic clock
   * @param {number} random 0 to 1, for the jitter of a back-off
   * @returns {Action[]}
   */
  receive(event, now_ms, random) {
    switch (event.type) {
      case "start":
        return this.#start(event, now_ms);
      case "stop":
        return this.#stop();
      case "opened":
        this.#opened = true;
        return [{ do: "setTimer", ms: ANSWER_MS }];
      case "fact":
        return this.#fact(event.fact, now_ms);
      case "closed":
        return this.#closed(event, now_ms, random);
      case "timer":
        return this.#timer(now_ms, random);
      case "offline":
        this.#change({ offline: true });
        return [];
      case "held":
        this.#change({ held: event.held });
        return [];
      case "online":
        this.#change({ offline: false });
        return this.#online(now_ms);
      case "signedIn":
        return this.#online(now_ms);
      case "signedOut":
        return this.#active ? [{ do: "hangUp" }, ...this.#end(S.signedOut, true)] : [];
      case "overfull":
        return this.#active ? [{ do: "hangUp" }, ...this.#end(S.overfull, true)] : [];
      case "mic":
        return this.#mic(event.mic);
      case "text":
        return this.#text(event.text);
      case "speaking":
        this.#change({ speaking: event.speaking });
        return [];
      case "notReady":
        return this.#notReady(event.missing);
    }
  }

  /** @param {Partial<State>} changes */
  #change(changes) {
    const resumable = this.#hasToken && this.#begun;
    this.#state = { ...this.#state, ...changes, resumable };
  }

  /**
   * @param {Extract<Event, {type: "start"}>} event
   * @param {number} now_ms
   * @returns {Action[]}
   */
  #start({ withMic, answer, input = "open", text }, now_ms) {
    if (this.#active) return [];
    this.#retry = new Retry(now_ms, this.#window_ms);
    this.#hasToken = this.#begun = this.#wasLive = false;
    this.#news = "";
    this.#change({ answer, input, held: false });
    const connect = this.#connect();
    return [
      ...(text ? this.#text(text) : []),
      ...connect,
      ...(withMic ? [/** @type {const} */ ({ do: "openMic" })] : []),
    ];
  }

  /** @returns {Action[]} */
  #connect() {
    this.#opened = false;
    const phase = this.#state.resumable ? "away" : "connecting";
    this.#limit = null;
    this.#change({ phase, reason: "", failed: false, queued: false });
    return [
      { do: "connect", resume: this.#hasToken },
      { do: "setTimer", ms: OPEN_MS },
    ];
  }

  /** @returns {Action[]} */
  #stop() {
    if (!this.#active) return [];
    return [{ do: "hangUp" }, { do: "flush" }, ...this.#end("", false)];
  }

  /**
   * @param {string} reason
   * @param {boolean} failed
   * @returns {Action[]}
   */
  #end(reason, failed) {
    this.#hasToken = false;
    this.#change({ phase: "closed", reason, failed, mic: "off" });
    this.#change({ answering: false, thinking: false, resuming: false, moved: false });
    return [{ do: "clearTimer" }, { do: "closeMedia" }];
  }

  /**
   * @param {import("./protocol.js").Fact} fact
   * @param {number} now_ms
   * @returns {Action[]}
   */
  #fact(fact, now_ms) {
    switch (fact.kind) {
      case "ready":
        return this.#asking ? this.#live(now_ms) : [];
      case "notice":
        return this.#notice(fact.notice, now_ms);
      case "interrupted":
        this.#change({ answering: false });
        return [{ do: "flush" }, { do: "interrupted" }];
      case "audio": {
        const answers = this.#answers();
        if (this.#state.answer === "text") return answers;
        return [...answers, { do: "play", data: fact.data, rate_hz: fact.rate_hz }];
      }
      case "text":
      case "said":
        return fact.text ? [...this.#answers(), { do: "modelSaid", text: fact.text }] : [];
      case "heard":
        return [{ do: "userSaid", text: fact.text, finished: fact.finished }];
      case "turnComplete":
        this.#change({ answering: false, thinking: false });
        return [{ do: "turnComplete" }];
      case "usage":
        return [{ do: "usage", usage: fact.usage }];
      case "goAway":
        return fact.timeLeft_s === null
          ? []
          : [{ do: "note", text: S.goAway(fact.timeLeft_s) }];
      default:
        return [];
    }
  }

  /** @returns {Action[]} */
  #answers() {
    if (this.#state.answering) return [];
    this.#change({ answering: true, thinking: false });
    return [{ do: "answered" }];
  }

  /**
   * @param {import("./protocol.js").Notice} notice
   * @param {number} now_ms
   * @returns {Action[]}
   */
  #notice({ token, state, recovered, sign_in, limit }, now_ms) {
    if (token) this.#hasToken = true;
    this.#limit = limit ?? this.#limit;
    this.#change(state ? { resuming: state === "resuming", queued: state === "waiting" } : {});
    if (state === "waiting" && this.#asking) return [{ do: "setTimer", ms: ANSWER_MS }];
    if (state === "moved" && this.#state.phase === "live") {
      this.#change({ moved: true });
      return [{ do: "setTimer", ms: MOVED_MS }];
    }
    if (sign_in) return [{ do: "askSignIn" }];
    if (this.#state.phase !== "away") return [];
    if (recovered !== false) return recovered ? this.#live(now_ms) : [];
    this.#news ||= S.cut;
    return this.#cut();
  }

  /**
   * The rest of an answer that is being given won't come.
   * @returns {Action[]}
   */
  #cut() {
    if (!this.#state.answering) return [];
    this.#change({ answering: false });
    return [{ do: "flush" }, { do: "interrupted" }];
  }

  /**
   * @param {number} now_ms
   * @returns {Action[]}
   */
  #live(now_ms) {
    this.#liveSince_ms = now_ms;
    this.#begun = this.#wasLive = true;
    const text = this.#news;
    this.#news = "";
    this.#change({ phase: "live", resuming: false, queued: false });
    return [{ do: "clearTimer" }, ...(text ? [/** @type {const} */ ({ do: "note", text })] : [])];
  }

  /**
   * @param {{code: number, reason: string}} end
   * @param {number} now_ms
   * @param {number} random
   * @returns {Action[]}
   */
  #closed({ code, reason }, now_ms, random) {
    const { phase } = this.#state;
    if (!this.#asking && phase !== "live") return [];
    if (phase === "live") this.#retry.lost(now_ms, now_ms - this.#liveSince_ms);
    const rule = closeRule(this.#closes, code);
    const unreached = code === 1006 && !this.#opened;
    const text = unreached ? S.unreached : withReason(rule.text, reason);
    if (rule.action === "ended") return this.#end(rule.text, false);
    if (rule.action === "final") return this.#end(text, true);
    if (rule.name === "session_lost") this.#hasToken = false;
    const cut = this.#hasToken ? [] : this.#isAnew();
    // That there is nothing to resume isn't one more failure.
    const atOnce = rule.name === "session_lost" && phase !== "live";
    const limited_s = this.#limit?.retry_s ?? 0;
    const ms = this.#retry.next(rule.action, atOnce, now_ms, random, limited_s * 1000);
    if (ms === null) {
      const end = this.#wasLive ? S.ended : S.gaveUp;
      return this.#end(`${text} ${limited_s ? tryAgainIn(limited_s) : end}`, true);
    }
    if (ms === 0) return [...cut, ...this.#connect()];
    this.#change({ phase: "waiting", reason: text, retryAt_ms: now_ms + ms });
    return [...cut, { do: "setTimer", ms }, ...(unreached ? [ASK] : [])];
  }

  /**
   * What comes next is another session: this one's answer ends here.
   * @returns {Action[]}
   */
  #isAnew() {
    this.#begun = false;
    if (this.#wasLive) {
      this.#news = S.anew;
      // What was asked is history to the next session, which asks for no answer.
      this.#change({ thinking: false });
    }
    return this.#cut();
  }

  /**
   * @param {number} now_ms
   * @param {number} random
   * @returns {Action[]}
   */
  #timer(now_ms, random) {
    this.#change({ moved: false });
    if (this.#state.phase === "waiting") return this.#connect();
    if (!this.#asking) return [];
    return [{ do: "drop" }, ...this.#closed({ code: 1006, reason: "" }, now_ms, random)];
  }

  /**
   * The device has a network again, and connections from before are mostly dead; or the person has
   * signed in again, and only a new connection tells the gateway.
   * @param {number} now_ms
   * @returns {Action[]}
   */
  #online(now_ms) {
    const { phase, resumable } = this.#state;
    if (phase === "live" && resumable) this.#retry.lost(now_ms, now_ms - this.#liveSince_ms);
    else if (phase !== "away" && phase !== "waiting") return [];
    this.#retry.hasten();
    return phase === "waiting" ? this.#connect() : [{ do: "drop" }, ...this.#connect()];
  }

  /**
   * @param {"off" | "asking" | "on"} mic
   * @returns {Action[]}
   */
  #mic(mic) {
    const before = this.#state.mic;
    this.#change({ mic });
    // Without activity detection the end of speech is told in another way.
    const open = this.#state.input === "open";
    const ended = before === "on" && mic === "off" && open && this.takesMedia;
    return ended ? [{ do: "endAudioStream" }] : [];
  }

  /**
   * @param {string} text
   * @returns {Action[]}
   */
  #text(text) {
    if (!this.#active) return [];
    this.#change({ thinking: true });
    return [
      { do: "userTyped", text },
      { do: "sendText", text },
    ];
  }

  /**
   * @param {string[]} missing
   * @returns {Action[]}
   */
  #notReady(missing) {
    if (this.#state.phase === "waiting") {
      this.#change({ reason: S.notReady(missing) });
    }
    return [];
  }
}
