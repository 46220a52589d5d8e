// @ts-check
/** Copies and saves the conversation. */

import { byId } from "./dom.js";
import { saveFile, toJson, toText } from "./export.js";
import { copy } from "./settings.js";
import { S } from "./strings.js";

const WAV_RATE_HZ = 24_000;
const NAMES = { user: S.you, model: S.model, event: S.note };

/**
 * @param {{
 *   entries: () => readonly import("./transcript.js").Entry[],
 *   model: () => string,
 *   recording: import("./recording.js").Recording,
 *   say: (text: string) => void,
 * }} conversation
 */
export function wireKeep({ entries, model, recording, say }) {
  const menu = byId("keep", HTMLElement);
  const text = () => toText(entries(), NAMES, S.interrupted);
  const name = () => `livegate-${new Date().toISOString().slice(0, 16).replace(/[:T]/g, "-")}`;
  /** @type {Record<string, () => unknown>} */
  const actions = {
    "keep-copy": async () => say((await copy(text())) ? S.copied : S.copyFailed),
    "keep-text": () => saveFile(text(), "text/plain", `${name()}.txt`),
    "keep-json": () => {
      const about = { model: model(), saved_at: new Date().toISOString() };
      saveFile(toJson(entries(), about), "application/json", `${name()}.json`);
    },
    "keep-audio": () => saveFile(recording.wav(WAV_RATE_HZ), "audio/wav", `${name()}.wav`),
  };
  for (const [id, act] of Object.entries(actions)) {
    byId(id, HTMLButtonElement).addEventListener("click", () => {
      menu.hidePopover();
      void act();
    });
  }
  menu.addEventListener("beforetoggle", () => {
    byId("keep-audio", HTMLButtonElement).disabled = recording.empty;
  });
}
