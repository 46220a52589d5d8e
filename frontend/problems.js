// @ts-check
/** What went wrong with a device, and what the person can do about it. Pure. */

/** On an insecure origin. */
export const NEEDS_HTTPS =
  "Here you can only type: browsers allow sound, microphone, camera and screen only over https or " +
  "on localhost. Open this page at an https address to talk.";

/** @typedef {"microphone" | "camera" | "screen" | "sound"} Device */

/**
 * @param {Device} device
 * @param {unknown} error what `getUserMedia` or `getDisplayMedia` threw
 * @param {boolean} secure `isSecureContext`
 * @returns {string} a sentence or two; "" if there is nothing to tell
 */
export function deviceProblem(device, error, secure) {
  const the = device === "sound" ? "Sound" : `The ${device}`;
  if (!secure) return NEEDS_HTTPS;
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      // Closing the screen picker is a choice, not a problem.
      if (device === "screen") return "";
      return (
        `The browser doesn't let this page use the ${device}. ` +
        "Allow it in the site settings (the icon beside the address), then try again. Meanwhile you can type."
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return `No ${device} was found. Connect one and try again. Meanwhile you can type.`;
    case "NotReadableError":
    case "AbortError":
      return `${the} is in use by another program, or the system blocks it. Free it and try again.`;
    default:
      return `${the} couldn't be started${name ? ` (${name})` : ""}.`;
  }
}

/**
 * A device that was in use is gone.
 * @param {Device} device
 * @param {boolean} forbidden the permission was taken back
 * @returns {string}
 */
export function deviceLost(device, forbidden) {
  if (forbidden) {
    return (
      `The permission for the ${device} was taken back. Allow it in the site settings (the icon ` +
      "beside the address) and switch it on again. Meanwhile you can type."
    );
  }
  return (
    `The ${device} was disconnected. Connect it, or choose another under Settings, and switch it on ` +
    "again. Meanwhile you can type."
  );
}
