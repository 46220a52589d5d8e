// @ts-check
/**
 * What to do when a connection ends. Pure: the gateway's own table comes from `/api/config`.
 */

/**
 * @typedef {Object} CloseRule
 * @property {string} name
 * @property {"reconnect" | "wait" | "final" | "ended"} action
 * @property {string} text what a person should read
 *
 * @typedef {Record<string, CloseRule>} CloseTable by close code
 */

export const MAX_TRIES = 5;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15000;

/** @type {CloseRule} */
const ENDED = { name: "ended", action: "ended", text: "The conversation has ended." };

/** For codes that the gateway's table lacks: those of the WebSocket protocol itself. @type {CloseTable} */
const STANDARD = {
  1001: { name: "going_away", action: "wait", text: "The gateway is restarting." },
  1005: { name: "no_code", action: "wait", text: "The gateway closed the connection." },
  1006: { name: "lost", action: "wait", text: "The connection was lost." },
  1007: { name: "invalid", action: "final", text: "The model refused the request." },
  1008: { name: "refused", action: "final", text: "The model refused the session." },
  1009: { name: "too_big", action: "final", text: "A message was too large." },
  1011: { name: "internal_error", action: "wait", text: "The model's server had a problem." },
  1012: { name: "restart", action: "wait", text: "The gateway is restarting." },
  1013: { name: "try_later", action: "wait", text: "The gateway is busy." },
};

/**
 * The rule for a close code: the gateway's, the protocol's, or by the range that it lies in.
 * @param {CloseTable} table
 * @param {number} code
 * @returns {CloseRule}
 */
export function closeRule(table, code) {
  if (code === 1000) return ENDED;
  const known = table[code] ?? STANDARD[code];
  if (known) return known;
  const text = "The gateway closed the connection.";
  if (code >= 4000 && code < 4100) return { name: "unknown", action: "reconnect", text };
  if (code >= 4100 && code < 4200) return { name: "unknown", action: "wait", text };
  return { name: "unknown", action: "final", text };
}

/**
 * How long to wait before a try: doubles from 1 s to 15 s, of which the upper half is random so
 * that the clients of a restarted gateway don't come back as one.
 * @param {number} tries made so far
 * @param {number} random 0 to 1
 * @returns {number} milliseconds
 */
export function backOff_ms(tries, random) {
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries);
  return Math.round(longest * (0.5 + 0.5 * random));
}
