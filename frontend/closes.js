// @ts-check
/**
 * What to do when a connection ends. Pure: the gateway's own table comes from `/api/config`.
 */

import { S } from "./strings.js";

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
const ENDED = { name: "ended", action: "ended", text: S.ended };

/** For codes that the gateway's table lacks: those of the WebSocket protocol itself. @type {CloseTable} */
const STANDARD = {
  1001: { name: "going_away", action: "retry", text: S.closes[1001] },
  1005: { name: "no_code", action: "retry", text: S.closedByGateway },
  1006: { name: "lost", action: "retry", text: S.closes[1006] },
  1007: { name: "invalid", action: "final", text: S.closes[1007] },
  1008: { name: "refused", action: "final", text: S.closes[1008] },
  1009: { name: "too_big", action: "final", text: S.closes[1009] },
  1011: { name: "internal_error", action: "retry", text: S.closes[1011] },
  1012: { name: "restart", action: "retry", text: S.closes[1012] },
  1013: { name: "try_later", action: "retry", text: S.closes[1013] },
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
  const translated = S.gatewayCloses[code];
  if (known) return translated ? { ...known, text: translated } : known;
  const text = S.closedByGateway;
  if (code >= 4000 && code < 4100) return { name: "unknown", action: "reconnect", text };
  if (code >= 4100 && code < 4200) return { name: "unknown", action: "wait", text };
  if (code >= 4200) return { name: "unknown", action: "final", text };
  return { name: "unknown", action: "retry", text };
}
