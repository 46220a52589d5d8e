// @ts-check
/** What a person chose, checked against what the gateway offers. Pure. */

/** @typedef {import("./protocol.js").Choices} Choices */

const MAX_INSTRUCTION = 8000;

/**
 * Saved choices as far as they still hold, defaults for the rest.
 * @param {unknown} saved anything: it comes from storage
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
  };
}

/**
 * What to say beside the choice of voice or text.
 * @param {Choices} choices
 * @param {import("./protocol.js").Model | undefined} model
 * @returns {string} "" if there is nothing to add
 */
export function answerHint(choices, model) {
  if (choices.answer !== "text" || !model || model.output.includes("text")) return "";
  return "This model only speaks. Its words are shown and its voice stays silent.";
}

/**
 * A warning for models that Google is about to turn off.
 * @param {import("./protocol.js").Model | undefined} model
 * @param {string} today ISO date
 * @returns {string} "" if there is nothing to warn of
 */
export function modelHint(model, today) {
  if (!model?.retires) return "";
  return model.retires <= today
    ? `Google retired this model on ${model.retires}.`
    : `Google retires this model on ${model.retires}.`;
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
    choices.answer === "text" ? "answers in text" : choices.voice,
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
