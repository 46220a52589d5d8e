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
 * @property {number} resume_window_s how long a session waits for its client to come back
 * @property {import("./closes.js").CloseTable} closes
 *
 * @typedef {Object} Status the answer of `/api/status`
 * @property {boolean} ok
 * @property {string[]} missing
 *
 * @typedef {Object} Me the answer of `/api/me`
 * @property {boolean} signed_in or nobody has to be
 * @property {string} name
 * @property {number | null} expires_in_s until the sign-in ends; below 0 it has
 * @property {string[]} missing why not, if not signed in
 * @property {string | null} sign_in where to, if there is somewhere
 * @property {string | null} sign_out the same for the way out
 */

const SIGN_OUT = "auth/logout";
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

/**
 * @returns {Promise<Me | null>} null if the gateway can't be reached
 */
export async function fetchMe() {
  return fetchJson("api/me", false);
}

/**
 * @returns {Promise<{name: string, description: string}[] | null>} the tools that the gateway runs
 */
export async function fetchTools() {
  const answer = await fetchJson("api/tools", false);
  return answer?.tools ?? null;
}

/**
 * @returns {Promise<import("./cost.js").Prices | null>} what tokens cost
 */
export async function fetchPrices() {
  return fetchJson("api/prices", false);
}

/** Signs out, if the gateway can be reached. */
export async function signOut() {
  try {
    await fetch(SIGN_OUT, { method: "POST", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    // Who still is signed in, `/api/me` says.
  }
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
