// @ts-check
/** What a person chose, checked against what the gateway offers. Pure. */

import { S } from "./strings.js";

/** @typedef {import("./protocol.js").Choices} Choices */

const MAX_INSTRUCTION = 8000;
const MAX_SILENCE_MS = 5000;
const MAX_TEMPERATURE = 2;
/** Tokens at which the context is compressed, 0 for "when it is full". */
export const WINDOWS = [0, 16_000, 32_000, 64_000];

/**
 * Saved choices as far as they still hold, defaults for the rest.
 * @param {unknown} saved anything: it comes from storage, a link, or the page's controls, whose
 *   numbers are text
 * @param {import("./gateway.js").Config} config
 * @returns {Choices}
 */
export function settle(saved, config) {
  const from = /** @type {Record<string, unknown>} */ (
    typeof saved === "object" && saved !== null ? saved : {}
  );
  const models = config.models.map(({ id }) => id);
  const languages = config.languages.map(({ code }) => code);
  return {
    model: oneOf(from.model, models) ?? oneOf(config.default_model, models) ?? models[0] ?? "",
    voice: oneOf(from.voice, config.voices) ?? config.default_voice,
    language: oneOf(from.language, languages) ?? "",
    instruction: typeof from.instruction === "string" ? from.instruction.slice(0, MAX_INSTRUCTION) : "",
    answer: from.answer === "text" ? "text" : "voice",
    temperature: number(from.temperature, 0, MAX_TEMPERATURE),
    transcription: flag(from.transcription, true),
    proactive: flag(from.proactive, false),
    affective: flag(from.affective, false),
    search: flag(from.search, false),
    window: WINDOWS.find((tokens) => tokens === Number(from.window)) ?? 0,
    input: from.input === "push" ? "push" : "open",
    speechStart: sensitivity(from.speechStart),
    speechEnd: sensitivity(from.speechEnd),
    silence_ms: Math.round(number(from.silence_ms, 0, MAX_SILENCE_MS) ?? 0),
  };
}

/**
 * What a link to these choices says after its "#": only what isn't the default. Nothing of it is
 * secret: tokens and devices are no choices.
 * @param {Choices} choices
 * @param {import("./gateway.js").Config} config
 * @returns {string}
 */
export function toLink(choices, config) {
  const defaults = new Map(Object.entries(settle(null, config)));
  const told = Object.entries(choices)
    .filter(([name, value]) => name === "model" || defaults.get(name) !== value)
    .map(([name, value]) => /** @type {[string, string]} */ ([name, String(value)]));
  return new URLSearchParams(told).toString();
}

/**
 * @param {string} hash of the page's address
 * @returns {Record<string, string> | null} for `settle`; null if the link holds no choices
 */
export function fromLink(hash) {
  const told = Object.fromEntries(new URLSearchParams(hash.replace(/^#/, "")));
  return "model" in told ? told : null;
}

/**
 * Which of the controls a model has no use for are left out.
 * @param {import("./protocol.js").Model | undefined} model
 * @param {string} capability a field of the catalogue entry
 */
export function offers(model, capability) {
  const value = model && new Map(Object.entries(model)).get(capability);
  return value === true || value === "optional";
}

/**
 * What to say beside the choice of voice or text.
 * @param {Choices} choices
 * @param {import("./protocol.js").Model | undefined} model
 * @returns {string} "" if there is nothing to add
 */
export function answerHint(choices, model) {
  if (choices.answer !== "text" || !model || model.output.includes("text")) return "";
  return S.onlySpeaks;
}

/**
 * A warning for models that Google is about to turn off.
 * @param {import("./protocol.js").Model | undefined} model
 * @param {string} today ISO date
 * @returns {string} "" if there is nothing to warn of
 */
export function modelHint(model, today) {
  if (!model?.retires) return "";
  return model.retires <= today ? S.retired(model.retires) : S.retires(model.retires);
}

/**
 * The choices in a few words.
 * @param {Choices} choices
 * @param {import("./gateway.js").Config} config
 * @returns {string}
 */
export function summary(choices, config) {
  const model = config.models.find(({ id }) => id === choices.model);
  const language = config.languages.find(({ code }) => code === choices.language);
  return [
    model?.name ?? choices.model,
    choices.answer === "text" ? S.answersInText : choices.voice,
    language?.name,
  ]
    .filter(Boolean)
    .join(" · ");
}

/**
 * @param {unknown} value
 * @param {string[]} allowed
 * @returns {string | undefined}
 */
function oneOf(value, allowed) {
  return typeof value === "string" && allowed.includes(value) ? value : undefined;
}

/**
 * @param {unknown} value
 * @param {boolean} otherwise
 */
function flag(value, otherwise) {
  if (value === true || value === "true") return true;
  return value === false || value === "false" ? false : otherwise;
}

/**
 * @param {unknown} value
 * @param {number} least
 * @param {number} most
 * @returns {number | null} null if it is none
 */
function number(value, least, most) {
  if ((typeof value !== "number" && typeof value !== "string") || value === "") return null;
  const read = Number(value);
  return Number.isFinite(read) ? Math.min(most, Math.max(least, read)) : null;
}

/**
 * @param {unknown} value
 * @returns {"" | "HIGH" | "LOW"}
 */
function sensitivity(value) {
  return value === "HIGH" || value === "LOW" ? value : "";
}
