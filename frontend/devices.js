// @ts-check
/** The pickers for microphone, speaker and camera: they follow what is plugged in. */

import { byId } from "./dom.js";
import { S } from "./strings.js";

/** @typedef {"mic" | "speaker" | "camera"} Kind */

/** @type {Record<Kind, MediaDeviceKind>} */
const KINDS = { mic: "audioinput", speaker: "audiooutput", camera: "videoinput" };

/**
 * The choices of one picker. Before a permission is given, browsers hide names and ids. Pure.
 * @param {readonly MediaDeviceInfo[]} devices
 * @param {Kind} which
 * @param {string} chosen stays in the list while it is unplugged: it will be used again
 * @returns {[string, string][]} id and label
 */
export function choicesOf(devices, which, chosen) {
  /** @type {[string, string][]} */
  const found = devices
    .filter((device) => device.kind === KINDS[which] && device.deviceId && device.deviceId !== "default")
    .map(({ deviceId, label }, index) => [deviceId, label || `${S.kinds[which]} ${index + 1}`]);
  const gone = chosen !== "" && !found.some(([id]) => id === chosen);
  return [["", S.systemDefault], ...found, ...(gone ? [unseen(chosen, found.length > 0)] : [])];
}

/**
 * @param {string} id
 * @param {boolean} named whether the browser tells which devices there are
 * @returns {[string, string]}
 */
function unseen(id, named) {
  return [id, named ? S.notThereNow : S.chosenBefore];
}

/**
 * A stream of the chosen device, or of another if that one is gone: `ideal` would choose any.
 * @param {"audio" | "video"} kind
 * @param {MediaTrackConstraints} constraints
 * @returns {Promise<MediaStream>}
 * @throws {DOMException | TypeError} as `getUserMedia`
 */
export async function askFor(kind, constraints) {
  const { deviceId, ...rest } = constraints;
  try {
    return await navigator.mediaDevices.getUserMedia({ [kind]: constraints });
  } catch (error) {
    const { name } = /** @type {Error} */ (error);
    if (!deviceId || !["OverconstrainedError", "NotFoundError"].includes(name)) throw error;
    return navigator.mediaDevices.getUserMedia({ [kind]: rest });
  }
}

/** See the module's text. */
export class Devices {
  #prefs;
  #changed;

  /**
   * @param {() => import("./prefs.js").Prefs} prefs
   * @param {(which: Kind) => void} changed a chosen device came or went
   */
  constructor(prefs, changed) {
    this.#prefs = prefs;
    this.#changed = changed;
    /** @type {Set<string>} */
    this.there = new Set();
    navigator.mediaDevices?.addEventListener?.("devicechange", () => void this.refresh());
    void this.refresh();
  }

  /** Looks again; also after a permission was given, which brings the names. */
  async refresh() {
    if (!navigator.mediaDevices?.enumerateDevices) return;
    const devices = await navigator.mediaDevices.enumerateDevices();
    const prefs = this.#prefs();
    const before = this.there;
    this.there = new Set(devices.map(({ deviceId }) => deviceId));
    for (const which of /** @type {Kind[]} */ (Object.keys(KINDS))) {
      const select = byId(`device-${which}`, HTMLSelectElement);
      const choices = choicesOf(devices, which, prefs[which]);
      select.replaceChildren(...choices.map(([value, label]) => new Option(label, value)));
      select.value = prefs[which];
      const turned = before.has(prefs[which]) !== this.there.has(prefs[which]);
      if (prefs[which] && before.size > 0 && turned) this.#changed(which);
    }
    byId("flip", HTMLElement).hidden = devices.filter(({ kind }) => kind === "videoinput").length < 2;
  }
}
