import assert from "node:assert/strict";
import { test } from "node:test";

import { blocked } from "../../frontend/account.js";

const ME = { signed_in: true, name: "", expires_in_s: null, missing: [], sign_in: null, sign_out: null };

test("who is let in may talk, signed in or not", () => {
  assert.equal(blocked(ME), "");
  assert.equal(blocked({ ...ME, name: "Alice", sign_out: "/auth/logout" }), "");
});

test("who may sign in is told so; who may not, what is missing", () => {
  const out = { ...ME, signed_in: false, missing: ["no API key", "no header"] };
  assert.equal(blocked({ ...out, sign_in: "/auth/login" }), "Sign in to talk");
  assert.equal(blocked(out), "You are not let in: no API key; no header.");
});
