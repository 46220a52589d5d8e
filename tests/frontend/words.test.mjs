import assert from "node:assert/strict";
import { test } from "node:test";

import { countdown, withReason } from "../../frontend/words.js";

test("a wait is counted in whole seconds, down to 1", () => {
  const state = { phase: "waiting", retryAt_ms: 5000 };
  assert.deepEqual(
    [0, 1, 1000, 4000, 4999, 5000, 9000].map((now_ms) => countdown(state, now_ms)),
    ["5 s", "5 s", "4 s", "1 s", "1 s", "", ""],
  );
  assert.equal(countdown({ ...state, phase: "away" }, 0), "");
});

test("a reason that only repeats the words isn't said twice", () => {
  assert.equal(withReason("Not allowed here.", "Not allowed here"), "Not allowed here.");
  assert.equal(withReason("Not allowed here.", "model x."), "Not allowed here. (model x)");
  assert.equal(withReason("Not allowed here.", ""), "Not allowed here.");
});
