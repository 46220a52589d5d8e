// What the state line says is true, in every state.
import assert from "node:assert/strict";
import { test } from "node:test";

import { tryAgainIn } from "../../frontend/words.js";
import { begin, closed, live, held, names, notice, OPENED, READY, START } from "./talk.mjs";

test("waiting for a place at the Live API is told, and waited for", () => {
  const { feed, says } = begin();
  feed(START, OPENED);
  assert.equal(says(), "Connecting…");
  assert.deepEqual(names(feed(notice({ state: "waiting" }))), ["setTimer"]);
  assert.equal(says(), "Waiting for a free place…");
  feed(READY);
  assert.equal(says(), "Microphone off");
});

test("a move is told for a while", () => {
  const { feed, says } = held();
  feed(notice({ state: "resuming" }));
  assert.equal(says(), "Resuming…");
  assert.deepEqual(feed(notice({ state: "moved" })), [{ do: "setTimer", ms: 4000 }]);
  assert.equal(says(), "Moved to another server");
  assert.deepEqual(feed({ type: "timer" }), []);
  assert.equal(says(), "Listening");
});

test("nobody thinks about what was asked of a session that is lost", () => {
  const { feed, says } = held();
  feed({ type: "text", text: "?" });
  assert.equal(says(), "Thinking…");
  feed(closed(4002), READY);
  assert.equal(says(), "Listening");
});

test("without a network it is offline, until there is one", () => {
  const { feed, says } = held();
  feed({ type: "offline" });
  assert.match(says(), /^Offline/);
  assert.deepEqual(names(feed({ type: "online" })), ["drop", "connect", "setTimer"]);
  assert.equal(says(), "Resuming…");
});

test("push-to-talk listens while the key is held, and ends no audio stream", () => {
  const { feed, says } = begin();
  feed({ ...START, input: "push" }, OPENED, READY, { type: "mic", mic: "on" });
  assert.equal(says(), "Hold to talk");
  feed({ type: "held", held: true });
  assert.equal(says(), "Listening");
  assert.deepEqual(feed({ type: "mic", mic: "off" }), []);
});

test("a limit is waited for as long as the gateway says, or told", () => {
  const { feed, says, session } = begin();
  feed(START, OPENED, notice({ limit: { name: "x", retry_s: 15, text: "Busy." } }), closed(4101));
  assert.equal(session.state.retryAt_ms, 15_000);
  const long = live();
  long.feed(notice({ limit: { name: "x", retry_s: 7200, text: "Used up." } }), closed(4101));
  assert.equal(long.says(), "Closed: All lines are busy. Try again in 2 h.");
  assert.match(says(), /Reconnecting/);
});

test("a time to wait is told in the unit that fits", () => {
  assert.deepEqual([0.2, 60, 100, 7200].map(tryAgainIn), [
    "Try again in 1 s.",
    "Try again in 60 s.",
    "Try again in 2 min.",
    "Try again in 2 h.",
  ]);
});
