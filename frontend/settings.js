// @ts-check
/** The settings dialog: its controls are named in the page, its choices checked and remembered. */

import { answerHint, fromLink, modelHint, offers, settle, summary, toLink } from "./choices.js";
import { byId } from "./dom.js";
import { settlePrefs } from "./prefs.js";
import { load, save } from "./store.js";
import { S } from "./strings.js";

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control */

/** Fills the dialog from the gateway's config and reads it back. */
export class Settings {
  #config;
  #prefsChanged;
  /** @type {import("./protocol.js").Choices} */
  #choices;
  /** @type {import("./prefs.js").Prefs} */
  #prefs = settlePrefs(load("prefs"));
  #dialog = byId("settings", HTMLDialogElement);

  /**
   * @param {import("./gateway.js").Config} config
   * @param {(name: string, prefs: import("./prefs.js").Prefs) => void} prefsChanged one of them
   */
  constructor(config, prefsChanged) {
    this.#config = config;
    this.#prefsChanged = prefsChanged;
    const linked = fromLink(location.hash);
    this.#choices = settle(linked ?? load("choices"), config);
    // Used once: a reload must not undo what is chosen from here on.
    if (linked) {
      history.replaceState(null, "", location.pathname + location.search);
      save("choices", this.#choices);
    }
    this.#fill();
    this.#showTheme();
    this.#show();
    this.#dialog.addEventListener("input", ({ target }) => this.#read(target));
    this.#wireDialog();
    /** The settings came with the page's address. */
    this.linked = linked !== null;
  }

  /** @returns {Readonly<import("./protocol.js").Choices>} */
  get choices() {
    return this.#choices;
  }

  /** @returns {Readonly<import("./prefs.js").Prefs>} */
  get prefs() {
    return this.#prefs;
  }

  /** The chosen model's catalogue entry. */
  get model() {
    return this.#config.models.find(({ id }) => id === this.#choices.model);
  }

  /** @param {boolean} live whether a conversation is going on, to which most changes don't apply */
  setLive(live) {
    byId("settings-later", HTMLElement).hidden = !live;
  }

  #fill() {
    const { models, voices, languages } = this.#config;
    fill("model", models.map(({ id, name }) => [id, name]));
    fill("voice", voices.map((voice) => [voice, voice]));
    fill("language", [["", S.automatic], ...languages.map(({ code, name }) => pair(code, name))]);
  }

  #show() {
    const values = new Map(Object.entries({ ...this.#choices, ...this.#prefs }));
    for (const control of this.#controls()) put(control, values.get(nameOf(control)));
    this.#hint();
  }

  /** @param {EventTarget | null} target */
  #read(target) {
    const controls = this.#controls();
    const values = Object.fromEntries(
      controls.flatMap((control) => {
        const value = take(control);
        return value === undefined ? [] : [[nameOf(control), value]];
      }),
    );
    this.#choices = settle(values, this.#config);
    save("choices", this.#choices);
    const pref = target instanceof HTMLElement && target.dataset.pref;
    if (pref) {
      this.#prefs = settlePrefs(values);
      save("prefs", this.#prefs);
      this.#showTheme();
      this.#prefsChanged(pref, this.#prefs);
    }
    this.#hint();
  }

  /** @returns {Control[]} */
  #controls() {
    return [...this.#dialog.querySelectorAll("[data-choice], [data-pref]")].map(
      (control) => /** @type {Control} */ (control),
    );
  }

  #hint() {
    hint("answer-hint", answerHint(this.#choices, this.model));
    hint("model-hint", modelHint(this.model, new Date().toISOString().slice(0, 10)));
    byId("summary-text", HTMLElement).textContent = summary(this.#choices, this.#config);
    for (const element of this.#dialog.querySelectorAll("[data-needs], [data-input]")) {
      const { needs, input } = /** @type {HTMLElement} */ (element).dataset;
      const wanted = needs ? offers(this.model, needs) : input === this.#choices.input;
      element.toggleAttribute("hidden", !wanted);
    }
    byId("device-speaker", HTMLElement).parentElement?.toggleAttribute("hidden", !canChooseSpeaker());
  }

  #showTheme() {
    document.documentElement.dataset.theme = this.#prefs.theme;
  }

  #wireDialog() {
    for (const id of ["open-settings", "summary"]) {
      const button = byId(id, HTMLButtonElement);
      button.disabled = false;
      button.addEventListener("click", () => this.#dialog.showModal());
    }
    byId("close-settings", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("click", (event) => {
      // The dialog's own box is filled by its content, so a click on itself is on the backdrop.
      if (event.target === this.#dialog) this.#dialog.close();
    });
    const said = byId("settings-said", HTMLElement);
    byId("copy-link", HTMLButtonElement).addEventListener("click", async () => {
      const url = new URL(location.href);
      url.hash = toLink(this.#choices, this.#config);
      const copied = await copy(url.href);
      said.textContent = copied ? S.linkCopied : url.href;
    });
    byId("reset", HTMLButtonElement).addEventListener("click", () => {
      this.#choices = settle(null, this.#config);
      save("choices", this.#choices);
      this.#show();
      said.textContent = S.settingsReset;
    });
  }
}

/**
 * Puts text on the clipboard, if the browser lets the page.
 * @param {string} text
 * @returns {Promise<boolean>}
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Forbidden, or an insecure origin, where there is none.
    return false;
  }
}

function canChooseSpeaker() {
  return "setSinkId" in AudioContext.prototype;
}

/** @param {Control} control */
function nameOf({ dataset }) {
  return dataset.choice ?? dataset.pref ?? "";
}

/**
 * @param {Control} control
 * @param {unknown} value
 */
function put(control, value) {
  if (!(control instanceof HTMLInputElement)) control.value = String(value);
  else if (control.type === "checkbox") control.checked = value === true;
  else if (control.type === "radio") control.checked = control.value === value;
  else control.value = value === null ? "" : String(value);
}

/**
 * @param {Control} control
 * @returns {string | boolean | undefined} undefined for a radio button that isn't the one
 */
function take(control) {
  if (!(control instanceof HTMLInputElement)) return control.value;
  if (control.type === "checkbox") return control.checked;
  return control.type !== "radio" || control.checked ? control.value : undefined;
}

/**
 * @param {string} id of a select
 * @param {[string, string][]} options value and label
 */
function fill(id, options) {
  byId(id, HTMLSelectElement).replaceChildren(
    ...options.map(([value, label]) => new Option(label, value)),
  );
}

/**
 * @param {string} a
 * @param {string} b
 * @returns {[string, string]}
 */
function pair(a, b) {
  return [a, b];
}

/**
 * @param {string} id
 * @param {string} text
 */
function hint(id, text) {
  const element = byId(id, HTMLElement);
  element.textContent = text;
  element.hidden = text === "";
}
