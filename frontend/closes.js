// @ts-check
/**
 * What to do when a connection ends. Pure: the gateway's own table comes from `/api/config`.
 */

/**
 * @typedef {Object} CloseRule
 * @property {string} name
 * @property {"reconnect" | "retry" | "wait" | "final" | "ended"} action how
 *   `Retry` goes on, or that it is over
 * @property {string} text what a person should read
 *
 * @typedef {Record<string, CloseRule>} CloseTable by close code
 */

/** @type {CloseRule} */
const ENDED = { name: "ended", action: "ended", text: "The conversation has ended." };

/** For codes that the gateway's table lacks: those of the WebSocket protocol itself. @type {CloseTable} */
const STANDARD = {
  1001: { name: "going_away", action: "retry", text: "The gateway is restarting." },
  1005: { name: "no_code", action: "retry", text: "The gateway closed the connection." },
  1006: { name: "lost", action: "retry", text: "The connection was lost." },
  1007: { name: "invalid", action: "final", text: "The model refused the request." },
  1008: { name: "refused", action: "final", text: "The model refused the session." },
  1009: { name: "too_big", action: "final", text: "A message was too large." },
  1011: { name: "internal_error", action: "retry", text: "The model's server had a problem." },
  1012: { name: "restart", action: "retry", text: "The gateway is restarting." },
  1013: { name: "try_later", action: "retry", text: "The gateway is busy." },
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
  if (code >= 4200) return { name: "unknown", action: "final", text };
  return { name: "unknown", action: "retry", text };
}
