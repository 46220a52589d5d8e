import assert from "node:assert/strict";
import { test } from "node:test";

import { AUDIO, OPENED, READY, START, TOKEN, begin, closed, fact, held, live, names, notice } from "./talk.mjs";

test("start to live: connect and ask for the microphone, setup, then nothing before it is taken", () => {
  const { session, feed, says } = begin();
  assert.equal(says(), "Not connected");
  assert.deepEqual(names(feed(START)), ["connect", "setTimer", "openMic"]);
  assert.equal(says(), "Connecting…");
  assert.deepEqual(names(feed(OPENED)), ["setTimer"]);
  assert.equal(session.state.phase, "connecting");
  assert.deepEqual(feed(notice({ session: "ab", state: "connecting" })), []);
  assert.deepEqual(names(feed(READY)), ["clearTimer"]);
  assert.equal(session.state.phase, "live");
  assert.equal(says(), "Microphone off");
  feed({ type: "mic", mic: "on" });
  assert.equal(says(), "Listening");
});

test("a sign-in that expires: the gateway's word makes the page ask, and what comes of it", () => {
  const ends = notice({ sign_in: { ends_in_s: 60 } });
  const { feed } = held();
  assert.deepEqual(names(feed(ends)), ["askSignIn"]);
  const again = feed({ type: "signedIn" });
  assert.deepEqual(names(again), ["drop", "connect", "setTimer"]);
  assert.equal(again[1].resume, true);
  const { session, feed: other } = held();
  other(ends);
  assert.deepEqual(names(other({ type: "signedOut" })), ["hangUp", "clearTimer", "closeMedia"]);
  assert.equal(session.state.phase, "closed");
  assert.match(session.state.reason, /Sign in/);
  assert.deepEqual(other({ type: "signedOut" }), []);
  assert.deepEqual(other({ type: "signedIn" }), []);
});

test("a second start is ignored", () => {
  const { feed } = live();
  assert.deepEqual(feed(START), []);
});

test("text is shown and sent in every state of a conversation; the line keeps it", () => {
  const { feed } = begin();
  assert.deepEqual(feed({ type: "text", text: "zero" }), []);
  const first = feed({ type: "start", withMic: false, answer: "voice", text: "one" });
  assert.deepEqual(names(first), ["userTyped", "sendText", "connect", "setTimer"]);
  const both = (text) => [
    { do: "userTyped", text },
    { do: "sendText", text },
  ];
  assert.deepEqual(feed({ type: "text", text: "two" }), both("two"));
  assert.deepEqual(names(feed(OPENED, READY)), ["clearTimer"]);
  feed(TOKEN, closed(1006));
  assert.deepEqual(feed({ type: "text", text: "three" }), both("three"));
  feed(closed(1006));
  assert.deepEqual(feed({ type: "text", text: "four" }), both("four"));
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
  assert.deepEqual(feed(AUDIO), [{ do: "answered" }, { do: "play", data: "AA==", rate_hz: 24000 }]);
  assert.deepEqual(names(feed(AUDIO)), ["play"]);
});

test("with answers in text nothing is played, and the transcript of the voice is the answer", () => {
  const { feed, says } = begin();
  feed({ ...START, answer: "text" }, OPENED, READY);
  assert.deepEqual(names(feed(AUDIO)), ["answered"]);
  assert.equal(says(), "Answering…");
  const said = fact("said", { text: "yes", finished: false });
  assert.deepEqual(feed(said), [{ do: "modelSaid", text: "yes" }]);
  feed(fact("turnComplete", { reason: "" }));
  assert.equal(says(), "Microphone off");
});

test("muting ends the audio stream, once, and only when the conversation has begun", () => {
  const { feed, says } = live();
  assert.deepEqual(feed({ type: "mic", mic: "off" }), [{ do: "endAudioStream" }]);
  assert.equal(says(), "Microphone off");
  assert.deepEqual(feed({ type: "mic", mic: "off" }), []);
  assert.deepEqual(feed({ type: "mic", mic: "asking" }), []);
  assert.equal(says(), "Waiting for the microphone…");
  assert.deepEqual(feed({ type: "mic", mic: "on" }), []);
  const lost = held();
  lost.feed(closed(1006));
  assert.deepEqual(lost.feed({ type: "mic", mic: "off" }), [{ do: "endAudioStream" }]);
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

test("too much unconfirmed ends the conversation, with words", () => {
  const { session, feed, says } = held();
  assert.deepEqual(names(feed({ type: "overfull" })), ["hangUp", "clearTimer", "closeMedia"]);
  assert.ok(session.state.failed);
  assert.match(says(), /^Closed: Too much is waiting/);
  assert.deepEqual(feed({ type: "overfull" }), []);
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

test("the gateway's notices: resuming is said until it is over", () => {
  const { feed, says } = live();
  feed(notice({ state: "resuming" }));
  assert.equal(says(), "Resuming…");
  feed(notice({ token: "t", ack: 3 }));
  assert.equal(says(), "Resuming…");
  feed(notice({ state: "moved" }));
  assert.equal(says(), "Moved to another server");
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
