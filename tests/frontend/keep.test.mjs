import assert from "node:assert/strict";
import { test } from "node:test";

import { toJson, toText } from "../../frontend/export.js";
import { places } from "../../frontend/find.js";

const NAMES = { user: "You", model: "Model", event: "Note" };
const ENTRIES = [
  { id: 1, who: "user", text: "Hello?", open: false, interrupted: false },
  { id: 2, who: "model", text: "Hello, I", open: false, interrupted: true },
];

test("as text: who said what, and what was interrupted", () => {
  assert.equal(toText(ENTRIES, NAMES, "interrupted"), "You: Hello?\n\nModel: Hello, I [interrupted]\n");
});

test("as JSON: the same, with what it is of", () => {
  const { model, entries } = JSON.parse(toJson(ENTRIES, { model: "m", saved_at: "2026" }));
  assert.equal(model, "m");
  assert.deepEqual(entries[1], { who: "model", text: "Hello, I", interrupted: true });
});

test("words are found whatever their case, one after the other", () => {
  assert.deepEqual(places("Anna and ANNA", "anna"), [0, 9]);
  assert.deepEqual(places("aaaa", "aa"), [0, 2]);
  assert.deepEqual(places("x", ""), []);
  assert.deepEqual(places("İstanbul", "stanbul"), [], "its lower case is longer");
});
