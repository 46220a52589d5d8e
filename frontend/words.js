// @ts-check
/** A session's state in words, for the state line. Pure. */

import { S } from "./strings.js";

/** @typedef {Readonly<import("./states.js").State>} State */

/**
 * @param {State} state
 * @returns {string}
 */
export function describe(state) {
  const active = state.phase !== "idle" && state.phase !== "closed";
  if (active && state.offline) return S.offline;
  switch (state.phase) {
    case "idle":
      return S.notConnected;
    case "connecting":
      return state.queued ? S.queued : S.connecting;
    case "away":
      return S.resuming;
    case "waiting":
      return `${state.reason} ${state.resumable ? S.resuming : S.reconnecting}`;
    case "closed":
      return state.failed ? S.closed(state.reason) : state.reason || S.notConnected;
    case "live":
      return describeLive(state);
  }
}

/** @param {State} state */
function describeLive(state) {
  if (state.resuming) return S.resuming;
  if (state.speaking) return S.speaking;
  if (state.answering && state.answer === "text") return S.answering;
  if (state.thinking) return S.thinking;
  if (state.moved) return S.moved;
  if (state.mic === "on") {
    return state.input === "open" || state.held ? S.listening : S.notHeld;
  }
  return state.mic === "asking" ? S.askingMicrophone : S.microphoneOff;
}

/**
 * How long it is until the next try.
 * @param {State} state
 * @param {number} now_ms by the session's clock
 * @returns {string} "" if there is nothing worth counting
 */
export function countdown(state, now_ms) {
  const left_s = Math.ceil((state.retryAt_ms - now_ms) / 1000);
  return state.phase === "waiting" && left_s > 0 ? S.seconds(left_s) : "";
}

/**
 * @param {number} wait_s
 * @returns {string}
 */
export function tryAgainIn(wait_s) {
  if (wait_s < 90) return S.tryAgainInSeconds(Math.ceil(wait_s));
  const minutes = Math.ceil(wait_s / 60);
  return minutes < 90 ? S.tryAgainInMinutes(minutes) : S.tryAgainInHours(Math.ceil(minutes / 60));
}

/**
 * The gateway's words, then the reason that came with the close if it says more.
 * @param {string} text
 * @param {string} reason
 */
export function withReason(text, reason) {
  const bare = reason.replace(/\.$/, "");
  return bare && !text.includes(bare) ? `${text} (${bare})` : text;
}
