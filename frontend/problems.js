// @ts-check
/** What went wrong with a device, and what the person can do about it. Pure. */

import { S } from "./strings.js";

/** @typedef {"microphone" | "camera" | "screen" | "sound"} Device */

/**
 * @param {Device} device
 * @param {unknown} error what `getUserMedia` or `getDisplayMedia` threw
 * @param {boolean} secure `isSecureContext`
 * @returns {string} a sentence or two; "" if there is nothing to tell
 */
export function deviceProblem(device, error, secure) {
  if (!secure) return S.needsHttps;
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      // Closing the screen picker is a choice, not a problem.
      return device === "screen" ? "" : S.notAllowed(device);
    case "NotFoundError":
    case "OverconstrainedError":
      return S.notFound(device);
    case "NotReadableError":
    case "AbortError":
      return S.inUse(device);
    default:
      return S.notStarted(device, name);
  }
}

/**
 * A device that was in use is gone.
 * @param {Device} device
 * @param {boolean} forbidden the permission was taken back
 * @returns {string}
 */
export function deviceLost(device, forbidden) {
  return forbidden ? S.takenBack(device) : S.disconnected(device);
}
