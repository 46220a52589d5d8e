// @ts-check
/** The settings dialog: pickers, remembered in this browser. */

import { answerHint, modelHint, settle, summary } from "./choices.js";
import { byId } from "./dom.js";

const STORED_AS = "livegate.choices";

/** Fills the dialog from the gateway's config and reads it back. */
export class Settings {
  #config;
  /** @type {import("./protocol.js").Choices} */
  #choices;
  #dialog = byId("settings", HTMLDialogElement);
  #model = byId("model", HTMLSelectElement);
  #voice = byId("voice", HTMLSelectElement);
  #language = byId("language", HTMLSelectElement);
  #instruction = byId("instruction", HTMLTextAreaElement);
  #byVoice = byId("answer-voice", HTMLInputElement);
  #byText = byId("answer-text", HTMLInputElement);

  /** @param {import("./gateway.js").Config} config */
  constructor(config) {
    this.#config = config;
    this.#choices = settle(read(), config);
    fill(this.#model, config.models.map(({ id, name }) => [id, name]));
    fill(this.#voice, config.voices.map((voice) => [voice, voice]));
    fill(this.#language, [
      ["", "Automatic"],
      ...config.languages.map(({ code, name }) => /** @type {[string, string]} */ ([code, name])),
    ]);
    this.#show();
    for (const control of [
      this.#model,
      this.#voice,
      this.#language,
      this.#instruction,
      this.#byVoice,
      this.#byText,
    ]) {
      control.addEventListener("input", () => this.#read());
    }
    this.#wireDialog();
  }

  /** @returns {Readonly<import("./protocol.js").Choices>} */
  get choices() {
    return this.#choices;
  }

  /** The chosen model's catalogue entry. */
  get model() {
    return this.#config.models.find(({ id }) => id === this.#choices.model);
  }

  /** @param {boolean} live whether a conversation is going on, to which changes don't apply */
  setLive(live) {
    byId("settings-later", HTMLElement).hidden = !live;
  }

  #show() {
    this.#model.value = this.#choices.model;
    this.#voice.value = this.#choices.voice;
    this.#language.value = this.#choices.language;
    this.#instruction.value = this.#choices.instruction;
    this.#byText.checked = this.#choices.answer === "text";
    this.#byVoice.checked = !this.#byText.checked;
    this.#hint();
  }

  #read() {
    this.#choices = {
      model: this.#model.value,
      voice: this.#voice.value,
      language: this.#language.value,
      instruction: this.#instruction.value,
      answer: this.#byText.checked ? "text" : "voice",
    };
    write(this.#choices);
    this.#hint();
  }

  #hint() {
    hint("answer-hint", answerHint(this.#choices, this.model));
    hint("model-hint", modelHint(this.model, new Date().toISOString().slice(0, 10)));
    byId("summary-text", HTMLElement).textContent = summary(this.#choices, this.#config);
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
  }
}

/**
 * @param {HTMLSelectElement} select
 * @param {[string, string][]} options value and label
 */
function fill(select, options) {
  select.replaceChildren(...options.map(([value, label]) => new Option(label, value)));
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

/** @returns {unknown} */
function read() {
  try {
    return JSON.parse(localStorage.getItem(STORED_AS) ?? "null");
  } catch {
    // Storage may be forbidden, or hold something else's text: the defaults do.
    return null;
  }
}

/** @param {import("./protocol.js").Choices} choices */
function write(choices) {
  try {
    localStorage.setItem(STORED_AS, JSON.stringify(choices));
  } catch {
    // Forbidden or full: the choices last as long as the page.
  }
}
