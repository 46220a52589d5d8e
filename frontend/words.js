// @ts-check
/** A session's state in words, for the state line. Pure. */

/** @typedef {Readonly<import("./states.js").State>} State */

/**
 * @param {State} state
 * @returns {string}
 */
export function describe(state) {
  const active = state.phase !== "idle" && state.phase !== "closed";
  if (active && state.offline) return "Offline: no network. It goes on when there is one again.";
  switch (state.phase) {
    case "idle":
      return "Not connected";
    case "connecting":
      return state.queued ? "Waiting for a free place…" : "Connecting…";
    case "away":
      return "Resuming…";
    case "waiting":
      return `${state.reason} ${state.resumable ? "Resuming" : "Reconnecting"}…`;
    case "closed":
      return state.failed ? `Closed: ${state.reason}` : state.reason || "Not connected";
    case "live":
      return describeLive(state);
  }
}

/** @param {State} state */
function describeLive(state) {
  if (state.resuming) return "Resuming…";
  if (state.speaking) return "Speaking";
  if (state.answering && state.answer === "text") return "Answering…";
  if (state.thinking) return "Thinking…";
  if (state.moved) return "Moved to another server";
  if (state.mic === "on") {
    return state.input === "open" || state.held ? "Listening" : "Hold the space bar to talk";
  }
  return state.mic === "asking" ? "Waiting for the microphone…" : "Muted";
}

/**
 * How long it is until the next try.
 * @param {State} state
 * @param {number} now_ms by the session's clock
 * @returns {string} "" if there is nothing worth counting
 */
export function countdown(state, now_ms) {
  const left_s = Math.ceil((state.retryAt_ms - now_ms) / 1000);
  return state.phase === "waiting" && left_s > 0 ? `${left_s} s` : "";
}

/**
 * @param {number} wait_s
 * @returns {string}
 */
export function tryAgainIn(wait_s) {
  if (wait_s < 90) return `Try again in ${Math.ceil(wait_s)} s.`;
  const minutes = Math.ceil(wait_s / 60);
  return minutes < 90 ? `Try again in ${minutes} min.` : `Try again in ${Math.ceil(minutes / 60)} h.`;
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
