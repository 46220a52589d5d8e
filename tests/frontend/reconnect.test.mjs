// The session machine when its connection is lost.
import assert from "node:assert/strict";
import { test } from "node:test";

import { AUDIO, OPENED, READY, START, begin, closed, fact, held, live, names, notice } from "./talk.mjs";

test("a lost connection is resumed at once, and nothing of it is heard or said", () => {
  const { session, feed, says } = held();
  feed(AUDIO);
  assert.deepEqual(feed(closed(1006)), [
    { do: "connect", resume: true },
    { do: "setTimer", ms: 10_000 },
  ]);
  assert.equal(session.state.phase, "away");
  assert.equal(session.state.mic, "on");
  assert.equal(says(), "Resuming…");
  assert.ok(session.takesMedia);
  assert.deepEqual(feed(OPENED), [{ do: "setTimer", ms: 25_000 }]);
  assert.equal(says(), "Resuming…");
  assert.deepEqual(names(feed(notice({ recovered: true, resend: 1, next: 1, token: "u" }))), ["clearTimer"]);
  assert.equal(session.state.phase, "live");
  assert.ok(session.state.answering, "the answer goes on");
  assert.deepEqual(names(feed(AUDIO)), ["play"]);
});

test("not recovered: the answer is cut, and live again only when the model has it", () => {
  const { session, feed } = held();
  feed(AUDIO, closed(4001), OPENED);
  assert.deepEqual(names(feed(notice({ recovered: false, resend: 1, next: 1 }))), ["flush", "interrupted"]);
  assert.equal(session.state.phase, "away");
  assert.deepEqual(feed(READY), [
    { do: "clearTimer" },
    { do: "note", text: "Connected again. Something that the model said may be missing." },
  ]);
  assert.equal(session.state.phase, "live");
});

test("not recovered: an answer that is complete is heard to its end", () => {
  const { feed } = held();
  feed(AUDIO, fact("turnComplete", { reason: "" }), closed(1006), OPENED);
  assert.deepEqual(feed(notice({ recovered: false, resend: 1, next: 1 })), []);
});

test("a lost session: at once anew, the answer is cut, and it is told", () => {
  const { session, feed, says } = held();
  feed(AUDIO, closed(1006), OPENED);
  assert.deepEqual(feed(closed(4002)), [
    { do: "flush" },
    { do: "interrupted" },
    { do: "connect", resume: false },
    { do: "setTimer", ms: 10_000 },
  ]);
  assert.equal(says(), "Connecting…");
  assert.ok(session.takesMedia, "what is said meanwhile is for the next session");
  assert.deepEqual(feed(OPENED, READY), [
    { do: "clearTimer" },
    { do: "note", text: "Connected again, in a new session: of what was said the model has only the transcript." },
  ]);
  assert.equal(says(), "Listening");
  assert.equal(session.state.resumable, false);
});

test("lost again before the model has taken the next session: no claim that it goes on", () => {
  const { session, feed } = held();
  feed(closed(1006), OPENED, closed(4002), OPENED, notice({ state: "connecting", token: "u" }));
  feed(closed(1006));
  assert.equal(session.state.phase, "waiting");
  assert.deepEqual(feed({ type: "timer" })[0], { do: "connect", resume: true });
  assert.equal(session.state.phase, "connecting");
  assert.deepEqual(feed(OPENED, notice({ recovered: true, resend: 1, next: 1 })), []);
  assert.deepEqual(names(feed(READY)), ["clearTimer", "note"]);
});

test("a session that gets lost again and again isn't begun anew at once", () => {
  const { session, feed } = held();
  assert.deepEqual(names(feed(closed(4002))), ["connect", "setTimer"]);
  feed(OPENED, READY);
  assert.deepEqual(names(feed(closed(4002))), ["setTimer"]);
  assert.equal(session.state.phase, "waiting");
});

test("superseded is final", () => {
  const { session, feed, says } = held();
  assert.deepEqual(names(feed(closed(4210))), ["clearTimer", "closeMedia"]);
  assert.equal(says(), "Closed: Another connection took this over.");
  assert.deepEqual(feed({ type: "online" }), []);
  assert.equal(session.state.resumable, false);
});

test("without a token: at once anew, with the microphone left on, and it is told", () => {
  const { feed, says } = live();
  feed(AUDIO);
  assert.deepEqual(names(feed(closed(4001))), ["flush", "interrupted", "connect", "setTimer"]);
  assert.equal(says(), "Connecting…");
  const actions = feed(OPENED, READY);
  assert.deepEqual(actions[1], {
    do: "note",
    text: "Connected again, in a new session: of what was said the model has only the transcript.",
  });
  assert.equal(says(), "Listening");
});

test("an absent gateway is tried for a minute, then the conversation has ended", () => {
  const { session, clock, feed, says } = held();
  clock.now = 1000;
  feed(closed(1006));
  const waits = [];
  for (;;) {
    feed(closed(1006));
    if (session.state.phase !== "waiting") break;
    assert.equal(says(), "The gateway can't be reached. Resuming…");
    waits.push(session.state.retryAt_ms - clock.now);
    clock.now = session.state.retryAt_ms;
    assert.deepEqual(names(feed({ type: "timer" })), ["connect", "setTimer"]);
    assert.equal(session.state.phase, "away");
  }
  assert.deepEqual(waits.slice(0, 7), [250, 500, 1000, 2000, 4000, 5000, 5000]);
  assert.equal(clock.now, 61_000);
  assert.equal(says(), "Closed: The gateway can't be reached. The conversation has ended.");
  assert.deepEqual(names(feed(START)), ["connect", "setTimer", "openMic"]);
});

test("wait: backs off, says so, comes back to the same session", () => {
  const { session, feed, says } = held({ random: 0.5 });
  assert.deepEqual(feed(closed(4101)), [{ do: "setTimer", ms: 750 }]);
  assert.equal(session.state.retryAt_ms, 750);
  assert.equal(says(), "All lines are busy. Resuming…");
  assert.deepEqual(feed({ type: "timer" })[0], { do: "connect", resume: true });
});

test("a first connection that is never answered is given up after a minute", () => {
  const { session, clock, feed, says } = begin();
  feed(START, OPENED);
  while (session.state.phase !== "closed") {
    feed(closed(4101));
    clock.now = session.state.retryAt_ms;
    feed({ type: "timer" }, OPENED);
  }
  assert.equal(says(), "Closed: All lines are busy. Gave up.");
});

test("the network is back: at once, also in place of a connection that seems to live", () => {
  for (const before of [[], [closed(1006)], [closed(1006), closed(1006)]]) {
    const { session, feed } = held();
    feed(...before);
    const wait = session.state.phase === "waiting";
    const actions = feed({ type: "online" });
    assert.deepEqual(names(actions), [...(wait ? [] : ["drop"]), "connect", "setTimer"]);
    assert.equal(actions.find((action) => action.do === "connect").resume, true);
    assert.equal(session.state.phase, "away");
  }
});

test("the network is back: a session that can't be resumed isn't given up for that", () => {
  for (const { feed } of [begin(), live()]) assert.deepEqual(feed({ type: "online" }), []);
});

test("the state line of a wait says why", () => {
  const { feed, says } = begin();
  feed(START, OPENED, closed(4101, "us-central1 is full"));
  assert.equal(says(), "All lines are busy. (us-central1 is full) Reconnecting…");
});

test("final: the gateway's words, and the reason that came with the close", () => {
  const { session, feed, says } = begin();
  feed(START, OPENED);
  assert.deepEqual(names(feed(closed(4201, "model x"))), ["clearTimer", "closeMedia"]);
  assert.equal(session.state.failed, true);
  assert.equal(says(), "Closed: This model isn't allowed here. (model x)");
});

test("unknown codes act by their range", () => {
  for (const [code, phase] of [
    [4055, "connecting"],
    [4155, "waiting"],
    [4255, "closed"],
    [1007, "closed"],
    [1001, "connecting"],
    [1011, "connecting"],
    [3000, "connecting"],
    [4999, "closed"],
  ]) {
    const { session, feed } = live();
    feed(closed(code));
    assert.equal(session.state.phase, phase, String(code));
  }
});

test("an unreachable gateway is called that, and its status asked", () => {
  const { feed, says } = begin();
  assert.deepEqual(names(feed(START, closed(1006))), ["connect", "setTimer"]);
  assert.deepEqual(names(feed(closed(1006))), ["setTimer", "askStatus"]);
  assert.equal(says(), "The gateway can't be reached. Reconnecting…");
  feed({ type: "notReady", missing: ["no session worker with a free slot", "no token"] });
  assert.equal(
    says(),
    "The gateway isn't ready: no session worker with a free slot; no token. Reconnecting…",
  );
});

test("a lost line is called that", () => {
  const { feed, says } = held();
  feed(closed(1006), OPENED, closed(1006));
  assert.equal(says(), "The connection was lost. Resuming…");
});

test("a server that never answers is given up by the timer, opened or not", () => {
  for (const opened of [[], [OPENED]]) {
    const { session, feed } = begin();
    assert.deepEqual(names(feed(START, ...opened, { type: "timer" })), ["drop", "connect", "setTimer"]);
    assert.equal(session.state.phase, "connecting");
    const resumed = held();
    resumed.feed(closed(1006), ...opened);
    assert.equal(resumed.feed({ type: "timer" })[0].do, "drop");
    assert.equal(resumed.session.state.phase, "waiting");
  }
});

test("stop while waiting: no further try", () => {
  const { session, feed } = begin();
  feed(START, closed(1006), closed(1006));
  assert.equal(session.state.phase, "waiting");
  assert.ok(names(feed({ type: "stop" })).includes("clearTimer"));
  assert.deepEqual(feed({ type: "timer" }), []);
  assert.equal(session.state.phase, "closed");
});
