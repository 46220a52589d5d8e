// @ts-check
/** The gateway's HTTP answers: what it offers, and whether it is ready. */

/**
 * @typedef {Object} Limits
 * @property {number} audio_in_rate_hz
 * @property {number} audio_out_rate_hz
 * @property {number} audio_chunk_ms
 * @property {number} video_fps
 * @property {number} video_long_side_px
 *
 * @typedef {Object} Config the answer of `/api/config`
 * @property {string} title
 * @property {string} upstream "simulator", "vertex", "developer" or "other"
 * @property {string} default_model
 * @property {import("./protocol.js").Model[]} models
 * @property {string} default_voice
 * @property {string[]} voices
 * @property {{code: string, name: string}[]} languages
 * @property {Limits} limits
 * @property {import("./closes.js").CloseTable} closes
 *
 * @typedef {Object} Status the answer of `/api/status`
 * @property {boolean} ok
 * @property {string[]} missing
 */

const TIMEOUT_MS = 5000;

/**
 * @returns {Promise<Config | null>} null if the gateway can't be reached or answers no config
 */
export async function fetchConfig() {
  return fetchJson("api/config", false);
}

/**
 * @returns {Promise<Status | null>} null if the gateway can't be reached
 */
export async function fetchStatus() {
  // 503 carries the status too: it says what is missing.
  return fetchJson("api/status", true);
}

/** The address of the gateway's WebSocket, beside this page. */
export function socketUrl() {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = "";
  url.hash = "";
  return url.href;
}

/**
 * @param {string} path
 * @param {boolean} anyStatus
 */
async function fetchJson(path, anyStatus) {
  try {
    const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    return answer.ok || anyStatus ? await answer.json() : null;
  } catch {
    // No network, no gateway, a timeout or a proxy's HTML: to the page they are the same.
    return null;
  }
}
