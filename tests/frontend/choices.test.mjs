import assert from "node:assert/strict";
import { test } from "node:test";

import { answerHint, fromLink, modelHint, offers, settle, summary, toLink } from "../../frontend/choices.js";

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
const OTHERS = {
  temperature: null,
  transcription: true,
  proactive: false,
  affective: false,
  search: false,
  window: 0,
  input: "open",
  speechStart: "",
  speechEnd: "",
  silence_ms: 0,
};
const DEFAULTS = { model: "m-2", voice: "Puck", language: "", instruction: "", answer: "voice", ...OTHERS };

test("nothing saved, or nonsense: the gateway's defaults", () => {
  for (const saved of [null, undefined, 3, "x", [], {}, { model: 1, voice: null, answer: "song" }]) {
    assert.deepEqual(settle(saved, CONFIG), DEFAULTS);
  }
});

test("what was saved holds as far as it is still offered", () => {
  const saved = { model: "m-1", voice: "Kore", language: "de-DE", instruction: "x", answer: "text", ...OTHERS };
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

const UNUSUAL = {
  model: "m-1",
  voice: "Kore",
  language: "de-DE",
  instruction: "Say “a & b = c”, #1\nand a line",
  answer: "text",
  temperature: 0.5,
  transcription: false,
  proactive: true,
  affective: true,
  search: true,
  window: 16_000,
  input: "push",
  speechStart: "LOW",
  speechEnd: "HIGH",
  silence_ms: 800,
};

test("a link carries every choice, and only what isn't the default", () => {
  const link = toLink(UNUSUAL, CONFIG);
  assert.deepEqual(settle(fromLink(`#${link}`), CONFIG), UNUSUAL);
  assert.deepEqual(settle(UNUSUAL, CONFIG), UNUSUAL);
  assert.equal(toLink(DEFAULTS, CONFIG), "model=m-2");
  assert.equal(fromLink("#elsewhere"), null);
  assert.equal(fromLink(""), null);
});

test("a link can't bring in what isn't a choice", () => {
  const linked = settle(fromLink("#model=m-1&token=t&temperature=9e9&window=3&silence_ms=-4"), CONFIG);
  assert.deepEqual(linked, { ...DEFAULTS, model: "m-1", temperature: 2 });
});

test("controls are offered as the model can use them", () => {
  const model = { google_search: true, proactive_audio: "optional", affective_dialog: "always" };
  assert.ok(offers(model, "google_search") && offers(model, "proactive_audio"));
  assert.ok(!offers(model, "affective_dialog") && !offers(model, "context_compression"));
  assert.ok(!offers(undefined, "google_search"));
});
