import assert from "node:assert/strict";
import { test } from "node:test";

import { answerHint, modelHint, settle, summary } from "../../frontend/choices.js";

const MODELS = [
  { id: "m-1", name: "Model One", input: [], output: ["audio"], needs_history_config: false, retires: "2026-12-13" },
  { id: "m-2", name: "Model Two", input: [], output: ["audio", "text"], needs_history_config: true, retires: null },
];
const CONFIG = {
  default_model: "m-2",
  models: MODELS,
  default_voice: "Puck",
  voices: ["Puck", "Kore"],
  languages: [{ code: "de-DE", name: "German (Germany)" }],
};
const DEFAULTS = { model: "m-2", voice: "Puck", language: "", instruction: "", answer: "voice" };

test("nothing saved, or nonsense: the gateway's defaults", () => {
  for (const saved of [null, undefined, 3, "x", [], {}, { model: 1, voice: null, answer: "song" }]) {
    assert.deepEqual(settle(saved, CONFIG), DEFAULTS);
  }
});

test("what was saved holds as far as it is still offered", () => {
  const saved = { model: "m-1", voice: "Kore", language: "de-DE", instruction: "x", answer: "text" };
  assert.deepEqual(settle(saved, CONFIG), saved);
  assert.deepEqual(settle({ ...saved, model: "gone", voice: "kore", language: "xx" }, CONFIG), {
    ...DEFAULTS,
    instruction: "x",
    answer: "text",
  });
});

test("a default that isn't offered gives way to the first model", () => {
  assert.equal(settle(null, { ...CONFIG, default_model: "gone" }).model, "m-1");
  assert.equal(settle(null, { ...CONFIG, models: [] }).model, "");
});

test("the hint says that a model only speaks, when text is wanted of it", () => {
  assert.match(answerHint({ ...DEFAULTS, answer: "text" }, MODELS[0]), /only speaks/);
  assert.equal(answerHint({ ...DEFAULTS, answer: "text" }, MODELS[1]), "");
  assert.equal(answerHint(DEFAULTS, MODELS[0]), "");
});

test("a model that is retired, or will be, says so", () => {
  assert.match(modelHint(MODELS[0], "2026-12-12"), /retires .* on 2026-12-13/);
  assert.match(modelHint(MODELS[0], "2026-12-13"), /retired/);
  assert.equal(modelHint(MODELS[1], "2026-12-13"), "");
});

test("the summary names what was chosen", () => {
  assert.equal(summary(DEFAULTS, CONFIG), "Model Two · Puck");
  const german = { ...DEFAULTS, language: "de-DE", answer: "text" };
  assert.equal(summary(german, CONFIG), "Model Two · answers in text · German (Germany)");
});
