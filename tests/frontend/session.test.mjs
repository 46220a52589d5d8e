import assert from "node:assert/strict";
import { test } from "node:test";

import { Session, describe } from "../../frontend/session.js";

const CLOSES = {
  4001: { name: "draining", action: "reconnect", text: "The gateway is restarting." },
  4101: { name: "no_slot", action: "wait", text: "All lines are busy." },
  4201: { name: "model_refused", action: "final", text: "This model isn't allowed here." },
};

/** A session and a way to feed it: `feed(...events)` gives the actions of the last one. */
function begin({ random = 1 } = {}) {
  const session = new Session(CLOSES);
  const clock = { now: 0 };
  const feed = (...events) => {
    let actions = [];
    for (const event of events) actions = session.receive(event, clock.now, random);
    return actions;
  };
  return { session, clock, feed, says: () => describe(session.state) };
}

const START = { type: "start", withMic: true, answer: "voice" };
const OPENED = { type: "opened" };
const fact = (kind, rest = {}) => ({ type: "fact", fact: { kind, ...rest } });
const READY = fact("ready", { session: "" });
const closed = (code, reason = "") => ({ type: "closed", code, reason });
const names = (actions) => actions.map((action) => action.do);

function live(options) {
  const setup = begin(options);
  setup.feed(START, OPENED, READY, { type: "mic", mic: "on" });
  return setup;
}

test("start to live: connect and ask for the microphone, setup, then nothing before it is taken", () => {
  const { session, feed, says } = begin();
  assert.equal(says(), "Not connected");
  assert.deepEqual(names(feed(START)), ["connect", "setTimer", "openMic"]);
  assert.equal(says(), "Connecting…");
  assert.deepEqual(names(feed(OPENED)), ["sendSetup"]);
  assert.equal(session.state.phase, "connecting");
  assert.deepEqual(feed(fact("notice", { notice: { session: "ab", state: "connecting" } })), []);
  assert.deepEqual(names(feed(READY)), ["clearTimer"]);
  assert.equal(session.state.phase, "live");
  assert.equal(says(), "Muted");
  feed({ type: "mic", mic: "on" });
  assert.equal(says(), "Listening");
});

test("a second start is ignored", () => {
  const { feed } = live();
  assert.deepEqual(feed(START), []);
});

test("text before the session is live is held, shown, and sent in order once it is", () => {
  const { feed } = begin();
  const first = feed({ type: "start", withMic: false, answer: "voice", text: "one" });
  assert.deepEqual(names(first), ["userTyped", "connect", "setTimer"]);
  assert.deepEqual(feed({ type: "text", text: "two" }), [{ do: "userTyped", text: "two" }]);
  assert.deepEqual(feed(OPENED, READY), [
    { do: "clearTimer" },
    { do: "sendText", text: "one" },
    { do: "sendText", text: "two" },
  ]);
});

test("text while live is shown and sent, and the model is said to think until it answers", () => {
  const { feed, says } = live();
  assert.deepEqual(names(feed({ type: "text", text: "hi" })), ["userTyped", "sendText"]);
  assert.equal(says(), "Thinking…");
  feed(fact("audio", { data: "AA==", rate_hz: 24000 }));
  assert.equal(says(), "Listening");
  feed({ type: "speaking", speaking: true });
  assert.equal(says(), "Speaking");
});

test("interrupted flushes before the content that follows is played", () => {
  const { feed } = live();
  assert.deepEqual(names(feed(fact("interrupted"))), ["flush", "interrupted"]);
  const audio = { data: "AA==", rate_hz: 24000 };
  assert.deepEqual(feed(fact("audio", audio)), [{ do: "play", ...audio }]);
});

test("with answers in text nothing is played, and the transcript of the voice is the answer", () => {
  const { feed, says } = begin();
  feed({ ...START, answer: "text" }, OPENED, READY);
  assert.deepEqual(feed(fact("audio", { data: "AA==", rate_hz: 24000 })), []);
  assert.equal(says(), "Answering…");
  const said = fact("said", { text: "yes", finished: false });
  assert.deepEqual(feed(said), [{ do: "modelSaid", text: "yes" }]);
  feed(fact("turnComplete", { reason: "" }));
  assert.equal(says(), "Muted");
});

test("muting ends the audio stream, once, and only while live", () => {
  const { feed, says } = live();
  assert.deepEqual(feed({ type: "mic", mic: "off" }), [{ do: "endAudioStream" }]);
  assert.equal(says(), "Muted");
  assert.deepEqual(feed({ type: "mic", mic: "off" }), []);
  assert.deepEqual(feed({ type: "mic", mic: "asking" }), []);
  assert.equal(says(), "Waiting for the microphone…");
  assert.deepEqual(feed({ type: "mic", mic: "on" }), []);
  const early = begin();
  early.feed(START, { type: "mic", mic: "on" });
  assert.deepEqual(early.feed({ type: "mic", mic: "off" }), []);
});

test("stop hangs up, falls silent and gives the devices back", () => {
  const { session, feed, says } = live();
  assert.deepEqual(names(feed({ type: "stop" })), ["hangUp", "flush", "clearTimer", "closeMedia"]);
  assert.equal(session.state.phase, "closed");
  assert.equal(session.state.mic, "off");
  assert.equal(says(), "Not connected");
  assert.deepEqual(feed({ type: "stop" }), []);
  assert.deepEqual(names(feed(START)), ["connect", "setTimer", "openMic"]);
});

test("1000 is an end, not an error; what is still to be heard is not cut", () => {
  const { session, feed, says } = live();
  assert.deepEqual(names(feed(closed(1000))), ["clearTimer", "closeMedia"]);
  assert.equal(session.state.failed, false);
  assert.equal(says(), "The conversation has ended.");
});

test("reconnect: at once, with the microphone left on, and the fresh start is told", () => {
  const { feed, says } = live();
  assert.deepEqual(names(feed(closed(4001))), ["flush", "connect", "setTimer"]);
  assert.equal(says(), "Connecting…");
  const actions = feed(OPENED, READY);
  assert.deepEqual(actions[1], {
    do: "note",
    text: "Connected again. The conversation starts anew.",
  });
  assert.equal(says(), "Listening");
});

test("reconnect again and again: only the first is at once, then it backs off, then gives up", () => {
  const { session, clock, feed } = live();
  feed(closed(4001), OPENED, READY);
  const waits = [];
  while (session.state.phase === "live") {
    clock.now += 500;
    feed(closed(4001));
    if (session.state.phase !== "waiting") break;
    waits.push(session.state.retry_ms);
    assert.deepEqual(names(feed({ type: "timer" })), ["connect", "setTimer"]);
    feed(OPENED, READY);
  }
  assert.deepEqual(waits, [2000, 4000, 8000, 15000]);
  assert.equal(session.state.phase, "closed");
  assert.equal(session.state.failed, true);
});

test("a connection that lasted proves the way: the tries start over", () => {
  const { session, clock, feed } = live();
  for (let i = 0; i < 20; i++) {
    clock.now += 60_000;
    assert.deepEqual(names(feed(closed(4001))), ["flush", "connect", "setTimer"]);
    feed(OPENED, READY);
  }
  assert.equal(session.state.phase, "live");
});

test("wait: backs off with jitter, says so, gives up after five tries", () => {
  const { session, feed, says } = begin({ random: 0.5 });
  feed(START, OPENED);
  for (const expected of [750, 1500, 3000, 6000, 11250]) {
    assert.deepEqual(names(feed(closed(4101))), ["flush", "setTimer"]);
    assert.equal(session.state.retry_ms, expected);
    feed({ type: "timer" }, OPENED);
  }
  assert.deepEqual(names(feed(closed(4101))), ["clearTimer", "closeMedia"]);
  assert.equal(says(), "Closed: All lines are busy. Gave up after 5 tries.");
});

test("the state line of a wait says why and how long", () => {
  const { feed, says } = begin();
  feed(START, OPENED, closed(4101, "us-central1 is full"), { type: "timer" }, OPENED, closed(4101));
  assert.equal(says(), "All lines are busy. Reconnecting in 2 s…");
});

test("final: the gateway's words, and the reason that came with the close", () => {
  const { session, feed, says } = begin();
  feed(START, OPENED);
  assert.deepEqual(names(feed(closed(4201, "model x"))), ["clearTimer", "closeMedia"]);
  assert.equal(session.state.failed, true);
  assert.equal(says(), "Closed: This model isn't allowed here. (model x)");
});

test("a reason that only repeats the words isn't said twice", () => {
  const { feed, says } = begin();
  feed(START, OPENED, closed(4201, "This model isn't allowed here"));
  assert.equal(says(), "Closed: This model isn't allowed here.");
});

test("unknown codes act by their range", () => {
  for (const [code, phase] of [
    [4055, "connecting"],
    [4155, "waiting"],
    [4255, "closed"],
    [1007, "closed"],
    [1011, "waiting"],
    [3000, "closed"],
  ]) {
    const { session, feed } = live();
    feed(closed(code));
    assert.equal(session.state.phase, phase, String(code));
  }
});

test("an unreachable gateway is called that, and its status asked", () => {
  const { feed, says } = begin();
  assert.deepEqual(names(feed(START, closed(1006))), ["flush", "setTimer", "askStatus"]);
  assert.equal(says(), "The gateway can't be reached. Reconnecting in 1 s…");
  feed({ type: "notReady", missing: ["no session worker with a free slot", "no token"] });
  assert.equal(
    says(),
    "The gateway isn't ready: no session worker with a free slot; no token. Reconnecting in 1 s…",
  );
});

test("a lost line is called that", () => {
  const { feed, says } = live();
  feed(closed(1006));
  assert.equal(says(), "The connection was lost. Reconnecting in 1 s…");
});

test("a server that never answers is given up by the timer", () => {
  const { session, feed } = begin();
  assert.deepEqual(names(feed(START, OPENED, { type: "timer" })), ["hangUp", "flush", "setTimer"]);
  assert.equal(session.state.phase, "waiting");
});

test("a timer or an end that comes too late changes nothing", () => {
  const { session, feed } = live();
  feed({ type: "stop" });
  const before = session.state;
  assert.deepEqual(feed({ type: "timer" }), []);
  assert.deepEqual(feed(closed(1006)), []);
  assert.deepEqual(feed({ type: "notReady", missing: [] }), []);
  assert.deepEqual(session.state, before);
});

test("stop while waiting: no further try", () => {
  const { session, feed } = begin();
  feed(START, closed(1006));
  assert.ok(names(feed({ type: "stop" })).includes("clearTimer"));
  assert.deepEqual(feed({ type: "timer" }), []);
  assert.equal(session.state.phase, "closed");
});

test("the gateway's notices: resuming is said until it is over", () => {
  const { feed, says } = live();
  feed(fact("notice", { notice: { state: "resuming" } }));
  assert.equal(says(), "Resuming…");
  feed(fact("notice", { notice: { state: "moved" } }));
  assert.equal(says(), "Listening");
});

test("a tool call is told, not answered", () => {
  const { feed } = live();
  const actions = feed(fact("toolCall", { calls: [{ id: "1", name: "weather", args: {} }] }));
  assert.deepEqual(names(actions), ["note"]);
  assert.match(actions[0].text, /weather/);
});

test("usage and goAway are passed on; facts of no concern do nothing", () => {
  const { feed } = live();
  const usage = { prompt: 1, reply: 2, total: 3 };
  assert.deepEqual(feed(fact("usage", { usage })), [{ do: "usage", usage }]);
  assert.deepEqual(names(feed(fact("goAway", { timeLeft_s: 50 }))), ["note"]);
  assert.deepEqual(feed(fact("goAway", { timeLeft_s: null })), []);
  for (const kind of ["generated", "thought", "resumption", "malformed", "toolCallCancelled"]) {
    assert.deepEqual(feed(fact(kind)), []);
  }
});
