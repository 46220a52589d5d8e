// @ts-check
/**
 * One conversation from "start" to "closed": a pure state machine, events in, actions out.
 *
 * It knows no DOM, clock, socket or audio. `receive(event, now_ms, random)` changes `state` and
 * returns what the shell must do, in order. `describe(state)` puts a state in words.
 */

import { MAX_TRIES, backOff_ms, closeRule } from "./closes.js";

/** A connection that lasted this long proves that the way works: the count of tries restarts. */
const STABLE_MS = 10_000;
/** The gateway itself gives up after 20 s without a free worker; this is for when it says nothing. */
const CONNECT_MS = 35_000;
/** Typed before the session is live; more than a person types in that time. */
const MAX_PENDING = 20;

/**
 * @typedef {"idle" | "connecting" | "live" | "waiting" | "closed"} Phase
 *
 * @typedef {Object} State
 * @property {Phase} phase
 * @property {"off" | "asking" | "on"} mic
 * @property {"voice" | "text"} answer how the model's answer is given
 * @property {boolean} speaking model audio is heard right now
 * @property {boolean} answering between the first content of a model turn and its end
 * @property {boolean} thinking text was sent and nothing has come back yet
 * @property {boolean} resuming the gateway is reconnecting to the model
 * @property {number} retry_ms the wait announced in phase "waiting"
 * @property {string} reason why it is waiting or closed
 * @property {boolean} failed closed by an error, not by an end
 *
 * @typedef {{type: "start", withMic: boolean, answer: "voice" | "text", text?: string}
 *   | {type: "stop"}
 *   | {type: "opened"}
 *   | {type: "fact", fact: import("./protocol.js").Fact}
 *   | {type: "closed", code: number, reason: string}
 *   | {type: "timer"}
 *   | {type: "mic", mic: "off" | "asking" | "on"}
 *   | {type: "text", text: string}
 *   | {type: "speaking", speaking: boolean}
 *   | {type: "notReady", missing: string[]}} Event
 *
 * @typedef {{do: "connect"} | {do: "hangUp"}
 *   | {do: "sendSetup"} | {do: "sendText", text: string} | {do: "endAudioStream"}
 *   | {do: "setTimer", ms: number} | {do: "clearTimer"}
 *   | {do: "openMic"} | {do: "closeMedia"} | {do: "askStatus"}
 *   | ({do: "play"} & import("./protocol.js").AudioData) | {do: "flush"}
 *   | {do: "userSaid", text: string, finished: boolean} | {do: "userTyped", text: string}
 *   | {do: "modelSaid", text: string} | {do: "interrupted"} | {do: "turnComplete"}
 *   | {do: "note", text: string}
 *   | {do: "usage", usage: import("./protocol.js").Usage}} Action
 */

/** See the module's text. */
export class Session {
  #closes;
  #tries = 0;
  #opened = false;
  #wasLive = false;
  #liveSince_ms = 0;
  /** @type {string[]} */
  #pending = [];
  /** @type {State} */
  #state = {
    phase: "idle",
    mic: "off",
    answer: "voice",
    speaking: false,
    answering: false,
    thinking: false,
    resuming: false,
    retry_ms: 0,
    reason: "",
    failed: false,
  };

  /** @param {import("./closes.js").CloseTable} closes the gateway's table, from `/api/config` */
  constructor(closes) {
    this.#closes = closes;
  }

  /** @returns {Readonly<State>} */
  get state() {
    return this.#state;
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
        return this.#start(event);
      case "stop":
        return this.#stop();
      case "opened":
        this.#opened = true;
        return [{ do: "sendSetup" }];
      case "fact":
        return this.#fact(event.fact, now_ms);
      case "closed":
        return this.#closed(event, now_ms, random);
      case "timer":
        return this.#timer(now_ms, random);
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
    this.#state = { ...this.#state, ...changes };
  }

  /** @param {Extract<Event, {type: "start"}>} event */
  #start({ withMic, answer, text }) {
    if (this.#state.phase !== "idle" && this.#state.phase !== "closed") return [];
    this.#tries = 0;
    this.#wasLive = false;
    this.#pending = [];
    this.#change({ answer });
    /** @type {Action[]} */
    const actions = [];
    if (text) actions.push(...this.#hold(text));
    actions.push(...this.#connect());
    if (withMic) actions.push({ do: "openMic" });
    return actions;
  }

  /** @returns {Action[]} */
  #connect() {
    this.#opened = false;
    this.#change({ phase: "connecting", reason: "", failed: false, retry_ms: 0 });
    return [{ do: "connect" }, { do: "setTimer", ms: CONNECT_MS }];
  }

  /** @returns {Action[]} */
  #stop() {
    const { phase } = this.#state;
    if (phase === "idle" || phase === "closed") return [];
    return [{ do: "hangUp" }, { do: "flush" }, ...this.#end("", false)];
  }

  /**
   * @param {string} reason
   * @param {boolean} failed
   * @returns {Action[]}
   */
  #end(reason, failed) {
    this.#pending = [];
    this.#lost();
    this.#change({ phase: "closed", reason, failed, mic: "off" });
    return [{ do: "clearTimer" }, { do: "closeMedia" }];
  }

  #lost() {
    this.#change({ answering: false, thinking: false, resuming: false });
  }

  /**
   * @param {import("./protocol.js").Fact} fact
   * @param {number} now_ms
   * @returns {Action[]}
   */
  #fact(fact, now_ms) {
    switch (fact.kind) {
      case "ready":
        return this.#ready(now_ms);
      case "notice":
        this.#change({ resuming: fact.notice.state === "resuming" });
        return [];
      case "interrupted":
        this.#change({ answering: false });
        return [{ do: "flush" }, { do: "interrupted" }];
      case "audio":
        this.#answers();
        if (this.#state.answer === "text") return [];
        return [{ do: "play", data: fact.data, rate_hz: fact.rate_hz }];
      case "text":
      case "said":
        if (fact.text) this.#answers();
        return fact.text ? [{ do: "modelSaid", text: fact.text }] : [];
      case "heard":
        return [{ do: "userSaid", text: fact.text, finished: fact.finished }];
      case "turnComplete":
        this.#change({ answering: false, thinking: false });
        return [{ do: "turnComplete" }];
      case "usage":
        return [{ do: "usage", usage: fact.usage }];
      case "toolCall":
        return fact.calls.map(({ name }) => ({
          do: "note",
          text: `The model asked for the tool “${name}”, which this page doesn't have.`,
        }));
      case "goAway":
        return fact.timeLeft_s === null
          ? []
          : [{ do: "note", text: `The server will end this session in ${fact.timeLeft_s} s.` }];
      default:
        return [];
    }
  }

  #answers() {
    if (!this.#state.answering) this.#change({ answering: true, thinking: false });
  }

  /**
   * @param {number} now_ms
   * @returns {Action[]}
   */
  #ready(now_ms) {
    if (this.#state.phase !== "connecting") return [];
    this.#liveSince_ms = now_ms;
    const again = this.#wasLive;
    this.#wasLive = true;
    const pending = this.#pending;
    this.#pending = [];
    this.#change({ phase: "live", resuming: false, thinking: pending.length > 0 });
    /** @type {Action[]} */
    const actions = [{ do: "clearTimer" }];
    if (again) {
      actions.push({ do: "note", text: "Connected again. The conversation starts anew." });
    }
    for (const text of pending) actions.push({ do: "sendText", text });
    return actions;
  }

  /**
   * @param {{code: number, reason: string}} end
   * @param {number} now_ms
   * @param {number} random
   * @returns {Action[]}
   */
  #closed({ code, reason }, now_ms, random) {
    const { phase } = this.#state;
    if (phase !== "connecting" && phase !== "live") return [];
    if (phase === "live" && now_ms - this.#liveSince_ms >= STABLE_MS) this.#tries = 0;
    const rule = closeRule(this.#closes, code);
    const unreached = code === 1006 && !this.#opened;
    const text = unreached ? "The gateway can't be reached." : withReason(rule.text, reason);
    this.#lost();
    if (rule.action === "ended") return this.#end(rule.text, false);
    if (rule.action === "final") return this.#end(text, true);
    // At once only the first time: a gateway that closes each new session would be hammered.
    if (rule.action === "reconnect" && this.#tries === 0) {
      this.#tries = 1;
      return [{ do: "flush" }, ...this.#connect()];
    }
    if (this.#tries >= MAX_TRIES) return this.#end(`${text} Gave up after ${MAX_TRIES} tries.`, true);
    const retry_ms = backOff_ms(this.#tries, random);
    this.#tries++;
    this.#change({ phase: "waiting", reason: text, retry_ms });
    /** @type {Action[]} */
    const actions = [{ do: "flush" }, { do: "setTimer", ms: retry_ms }];
    if (unreached) actions.push({ do: "askStatus" });
    return actions;
  }

  /**
   * @param {number} now_ms
   * @param {number} random
   * @returns {Action[]}
   */
  #timer(now_ms, random) {
    if (this.#state.phase === "waiting") return this.#connect();
    if (this.#state.phase !== "connecting") return [];
    const lost = this.#closed({ code: 1006, reason: "" }, now_ms, random);
    return [{ do: "hangUp" }, ...lost];
  }

  /**
   * @param {"off" | "asking" | "on"} mic
   * @returns {Action[]}
   */
  #mic(mic) {
    const before = this.#state.mic;
    this.#change({ mic });
    const ended = before === "on" && mic === "off" && this.#state.phase === "live";
    return ended ? [{ do: "endAudioStream" }] : [];
  }

  /**
   * @param {string} text
   * @returns {Action[]}
   */
  #text(text) {
    if (this.#state.phase === "live") {
      this.#change({ thinking: true });
      return [
        { do: "userTyped", text },
        { do: "sendText", text },
      ];
    }
    return this.#state.phase === "connecting" || this.#state.phase === "waiting" ? this.#hold(text) : [];
  }

  /**
   * @param {string} text
   * @returns {Action[]}
   */
  #hold(text) {
    if (this.#pending.length >= MAX_PENDING) return [];
    this.#pending.push(text);
    return [{ do: "userTyped", text }];
  }

  /**
   * @param {string[]} missing
   * @returns {Action[]}
   */
  #notReady(missing) {
    if (this.#state.phase === "waiting") {
      this.#change({ reason: `The gateway isn't ready: ${missing.join("; ")}.` });
    }
    return [];
  }
}

/**
 * The gateway's words, then the reason that came with the close if it says more.
 * @param {string} text
 * @param {string} reason
 */
function withReason(text, reason) {
  const bare = reason.replace(/\.$/, "");
  return bare && !text.includes(bare) ? `${text} (${bare})` : text;
}

/**
 * A state in words, for the state line.
 * @param {Readonly<State>} state
 * @returns {string}
 */
export function describe(state) {
  switch (state.phase) {
    case "idle":
      return "Not connected";
    case "connecting":
      return "Connecting…";
    case "waiting":
      return `${state.reason} Reconnecting in ${Math.max(1, Math.round(state.retry_ms / 1000))} s…`;
    case "closed":
      return state.failed ? `Closed: ${state.reason}` : state.reason || "Not connected";
    case "live":
      return describeLive(state);
  }
}

/** @param {Readonly<State>} state */
function describeLive(state) {
  if (state.resuming) return "Resuming…";
  if (state.speaking) return "Speaking";
  if (state.answering && state.answer === "text") return "Answering…";
  if (state.thinking) return "Thinking…";
  if (state.mic === "on") return "Listening";
  return state.mic === "asking" ? "Waiting for the microphone…" : "Muted";
}
