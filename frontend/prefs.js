// @ts-check
/** What a person set up for this browser and its devices; never part of a link. Pure. */

/**
 * @typedef {Object} Prefs
 * @property {string} mic device id, "" for the system's choice
 * @property {string} speaker the same
 * @property {string} camera the same
 * @property {boolean} echo echo cancellation
 * @property {boolean} noise noise suppression
 * @property {boolean} gain automatic gain
 * @property {boolean} record both voices are kept in memory, to be saved
 * @property {number} fps pictures a second
 * @property {"low" | "medium" | "high"} quality of pictures
 * @property {"auto" | "light" | "dark"} theme
 */

/** The long side as a part of what the API takes, and the JPEG quality. */
export const QUALITIES = {
  low: { part: 0.5, jpeg: 0.6 },
  medium: { part: 0.75, jpeg: 0.7 },
  high: { part: 1, jpeg: 0.8 },
};
/** Pictures a second; the API takes one. */
export const RATES = [1, 0.5, 0.2];

/**
 * @param {unknown} saved anything: it comes from storage or from the page's controls
 * @returns {Prefs}
 */
export function settlePrefs(saved) {
  const from = /** @type {Record<string, unknown>} */ (
    typeof saved === "object" && saved !== null ? saved : {}
  );
  return {
    mic: text(from.mic),
    speaker: text(from.speaker),
    camera: text(from.camera),
    echo: from.echo !== false,
    noise: from.noise !== false,
    gain: from.gain !== false,
    record: from.record !== false,
    fps: RATES.find((fps) => fps === Number(from.fps)) ?? RATES[0],
    quality: from.quality === "low" || from.quality === "medium" ? from.quality : "high",
    theme: from.theme === "light" || from.theme === "dark" ? from.theme : "auto",
  };
}

/**
 * What `askFor` is asked for.
 * @param {Prefs} prefs
 * @returns {MediaTrackConstraints}
 */
export function audioConstraints({ mic, echo, noise, gain }) {
  return {
    echoCancellation: echo,
    noiseSuppression: noise,
    autoGainControl: gain,
    channelCount: 1,
    ...(mic && { deviceId: { exact: mic } }),
  };
}

/**
 * @param {{camera: string}} prefs
 * @param {"user" | "environment"} facing front or back, where no camera was chosen
 * @returns {MediaTrackConstraints}
 */
export function cameraConstraints({ camera }, facing) {
  const width = { ideal: 1280 };
  return camera ? { width, deviceId: { exact: camera } } : { width, facingMode: facing };
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" ? value : "";
}
