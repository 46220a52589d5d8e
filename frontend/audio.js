// @ts-check
/** The page's one AudioContext, at the device's own rate, with both worklets loaded. */

const TRIES = 4;
const PAUSE_MS = 500;

/** @type {AudioContext | null} */
let context = null;
/** @type {Promise<AudioContext> | null} */
let ready = null;
/** The loudspeaker, "" for the system's choice. */
let sink = "";

/**
 * The context, made at the first call: call it from a click or a key, or browsers keep it silent.
 *
 * It never asks for 16 or 24 kHz: Safari and Firefox refuse or mistune such contexts, so the
 * worklets resample. One context serves both directions, for the sake of echo cancellation.
 * @returns {Promise<AudioContext>}
 * @throws {DOMException} if the worklets can't be loaded
 * @throws {TypeError} in an insecure context, which has no worklets
 */
export function openAudio() {
  if (!context || context.state === "closed") {
    context = new AudioContext({ latencyHint: "interactive" });
    ready = null;
    void setSpeaker(sink);
  }
  // A worklet that a bad line kept away is fetched again at the next call.
  ready ??= load(context).catch((error) => {
    ready = null;
    throw error;
  });
  // iOS interrupts a context for a phone call and leaves it to the page to go on.
  if (context.state !== "running") void context.resume();
  return ready;
}

/**
 * Where sound comes out, in browsers that let a page choose.
 * @param {string} id of a device, "" for the system's choice
 */
export async function setSpeaker(id) {
  sink = id;
  const chooses = /** @type {{setSinkId?: (id: string) => Promise<void>} | null} */ (context);
  // One that is unplugged leaves the sound where it is.
  await chooses?.setSinkId?.(id).catch(() => {});
}

/** Lets a suspended context go on, for instance when the page comes back to the foreground. */
export function resumeAudio() {
  if (context && context.state !== "running" && context.state !== "closed") void context.resume();
}

/** Seconds from rendering to the loudspeaker, as far as the browser knows. */
export function outputLatency_s() {
  return context?.outputLatency ?? 0;
}

/**
 * On iPhones: keep playing with the ring switch off, and let the system cancel the echo.
 * @param {boolean} talking
 */
export function setAudioSession(talking) {
  const { audioSession } = /** @type {{audioSession?: {type: string}}} */ (
    /** @type {unknown} */ (navigator)
  );
  if (audioSession) audioSession.type = talking ? "play-and-record" : "auto";
}

/**
 * @param {AudioContext} made
 * @param {number} tries the line may be bad just now
 * @returns {Promise<AudioContext>}
 */
async function load(made, tries = TRIES) {
  try {
    await Promise.all([
      made.audioWorklet.addModule(new URL("worklets/capture-worklet.js", import.meta.url)),
      made.audioWorklet.addModule(new URL("worklets/playback-worklet.js", import.meta.url)),
    ]);
  } catch (error) {
    if (tries <= 1 || !(error instanceof DOMException)) throw error;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    return load(made, tries - 1);
  }
  return made;
}
