import assert from "node:assert/strict";
import { test } from "node:test";

import { PushToTalk } from "../../frontend/push.js";

const chunks = (from, to) => Array.from({ length: to - from }, (_, i) => `${from + i}`);
const audio = (names) => names.map((name) => ({ audio: name }));

test("nothing is sent before the key is pressed; then the half second before it", () => {
  const push = new PushToTalk(40);
  for (const chunk of chunks(0, 100)) assert.deepEqual(push.heard(chunk), []);
  assert.deepEqual(push.press(), ["start", ...audio(chunks(87, 100))], "13 chunks are 520 ms");
  assert.ok(push.held);
  assert.deepEqual(push.press(), [], "a key that repeats isn't pressed again");
  assert.deepEqual(push.heard("a"), audio(["a"]));
});

test("the chunk in which the key is released is the last", () => {
  const push = new PushToTalk(40);
  push.press();
  push.release();
  assert.ok(!push.held);
  assert.deepEqual(push.heard("a"), [...audio(["a"]), "end"]);
  assert.deepEqual(push.heard("b"), []);
  assert.deepEqual(push.press(), ["start", ...audio(["b"])], "what was sent isn't sent again");
});

test("a key that is pressed again at once goes on", () => {
  const push = new PushToTalk(40);
  push.press();
  push.release();
  assert.deepEqual(push.press(), []);
  assert.deepEqual(push.heard("a"), audio(["a"]));
});

test("the microphone goes off: speech ends, and what was heard is forgotten", () => {
  const push = new PushToTalk(40);
  push.heard("a");
  assert.deepEqual(push.stop(), []);
  assert.deepEqual(push.press(), ["start"]);
  assert.deepEqual(push.stop(), ["end"]);
});
