import assert from "node:assert/strict";
import { test } from "node:test";

import { Uplink } from "../../frontend/uplink.js";
import { seeded } from "./signal.mjs";

const FULL = 1e6;
const CHUNK = "a".repeat(1800);
const next = (n) => JSON.stringify({ livegate: { next: n } });

/** An uplink that may send, and short ways to feed it. */
function opened() {
  const uplink = new Uplink();
  uplink.open();
  const send = (kind, text, now = 0, held = 0) => {
    uplink.offer(kind, text, now, held);
    return uplink.take(now, held);
  };
  return { uplink, send };
}

test("an empty socket is given everything at once", () => {
  const { uplink, send } = opened();
  for (const kind of ["control", "audio", "video"]) assert.deepEqual(send(kind, kind), [kind]);
  assert.deepEqual(uplink.dropped, { audio: 0, video: 0 });
});

test("video goes first: dropped while the socket still holds something, audio isn't", () => {
  const { uplink, send } = opened();
  assert.deepEqual(send("video", "frame", 0, 20_000), []);
  assert.deepEqual(send("audio", "chunk", 0, 20_000), ["chunk"]);
  assert.deepEqual(uplink.dropped, { audio: 0, video: 1 });
});

test("video isn't sent past what is held back, nor kept without a connection", () => {
  const { uplink, send } = opened();
  send("audio", "chunk", 0, FULL);
  assert.deepEqual(send("video", "frame"), ["chunk"]);
  uplink.shut();
  uplink.offer("video", "frame", 0, 0);
  uplink.resume(1);
  assert.deepEqual(uplink.take(0, 0), ["chunk"]);
  assert.deepEqual(uplink.dropped, { audio: 0, video: 2 });
});

for (const [why, held, before] of [
  ["a full socket", FULL, () => {}],
  ["no connection", 0, (uplink) => uplink.shut()],
]) {
  test(`then the oldest audio: with ${why} 15 s of it wait, control messages all`, () => {
    const { uplink, send } = opened();
    before(uplink);
    send("control", "first", 0, held);
    for (let i = 0; i < 500; i++) {
      assert.deepEqual(send("audio", `a${i}`, i * 40, held), []);
      if (i % 100 === 0) send("control", `c${i}`, i * 40, held);
    }
    assert.deepEqual(uplink.dropped, { audio: 124, video: 0 });
    uplink.resume(1);
    const sent = uplink.take(499 * 40, 0);
    assert.deepEqual(
      sent.filter((text) => !text.startsWith("a")),
      ["first", "c0", "c100", "c200", "c300", "c400"],
    );
    assert.deepEqual(
      sent.filter((text) => text.startsWith("a")),
      Array.from({ length: 376 }, (_, i) => `a${i + 124}`),
    );
    assert.ok(sent.indexOf("c200") > sent.indexOf("a200"), "the order is kept");
    assert.ok(sent.indexOf("c200") < sent.indexOf("a201"));
  });
}

test("the socket is given only as much as it may hold", () => {
  const { uplink } = opened();
  for (let i = 0; i < 50; i++) uplink.offer("audio", CHUNK, 0, FULL);
  const first = uplink.take(0, 0);
  assert.ok(first.length * CHUNK.length < 64 * 1024 + CHUNK.length);
  assert.ok(uplink.flowing);
  assert.deepEqual(uplink.take(0, FULL), []);
  uplink.shut();
  assert.equal(uplink.flowing, false);
});

test("nothing goes out before it is opened", () => {
  const uplink = new Uplink();
  uplink.offer("control", "hi", 0, 0);
  assert.deepEqual(uplink.take(0, 0), []);
  uplink.open();
  assert.deepEqual(uplink.take(0, 0), ["hi"]);
});

test("a resume sends again what the gateway lacks, then what waited", () => {
  const { uplink, send } = opened();
  for (const text of ["one", "two", "three"]) send("control", text);
  uplink.shut();
  uplink.offer("control", "four", 0, 0);
  uplink.resume(2);
  assert.deepEqual(uplink.take(0, 0), ["two", "three", "four"]);
  uplink.resume(4);
  assert.deepEqual(uplink.take(0, 0), ["four"]);
});

test("what the gateway has received is kept until it is released", () => {
  const { uplink, send } = opened();
  for (const text of ["one", "two", "three"]) send("control", text);
  uplink.resume(4);
  assert.deepEqual(uplink.take(0, 0), []);
  uplink.release(1);
  uplink.resume(2);
  assert.deepEqual(uplink.take(0, 0), ["two", "three"]);
});

test("a resume that was cut short takes nothing away", () => {
  const { uplink, send } = opened();
  for (const text of ["one", "two", "three"]) send("control", text);
  uplink.resume(2);
  uplink.shut();
  uplink.release(1);
  uplink.resume(3);
  assert.deepEqual(uplink.take(0, 0), ["three"]);
  uplink.resume(2);
  assert.deepEqual(uplink.take(0, 0), ["two", "three"]);
});

test("numbers that aren't sent are told: before the next message, wherever the gap is", () => {
  const { uplink, send } = opened();
  send("audio", "a1", 0);
  send("control", "c2", 0);
  send("audio", "a3", 0);
  send("audio", "a4", 10_000);
  uplink.resume(1);
  assert.deepEqual(uplink.take(20_000, 0), [next(2), "c2", next(4), "a4"]);
  uplink.release(2);
  uplink.resume(3);
  assert.deepEqual(uplink.take(30_000, 0), []);
  assert.deepEqual(send("control", "c5", 30_000), [next(5), "c5"]);
  assert.deepEqual(send("control", "c6", 30_000), ["c6"]);
  assert.equal(uplink.dropped.audio, 0, "they were sent once");
});

test("of pictures only the newest is sent again", () => {
  const { uplink, send } = opened();
  for (const text of ["v1", "v2"]) send("video", text);
  send("audio", "a3");
  uplink.resume(1);
  assert.deepEqual(uplink.take(0, 0), [next(2), "v2", "a3"]);
});

test("a new session gets what the old one has not answered, numbered anew", () => {
  const { uplink, send } = opened();
  send("control", "answered");
  uplink.answered();
  send("video", "frame");
  send("control", "unanswered");
  send("audio", "chunk");
  uplink.release(2);
  uplink.shut();
  uplink.offer("control", "waits", 0, 0);
  uplink.restart("");
  assert.deepEqual(uplink.take(0, 0), [], "not before the session is taken");
  uplink.open();
  assert.deepEqual(uplink.take(0, 0), ["unanswered", "chunk", "waits"]);
  uplink.release(2);
  uplink.resume(3);
  assert.deepEqual(uplink.take(0, 0), ["waits"]);
});

test("4 MB of control messages may be unconfirmed, and media doesn't count", () => {
  const { uplink, send } = opened();
  const megabyte = "x".repeat(1 << 20);
  for (let i = 0; i < 20; i++) send("audio", megabyte);
  for (let i = 0; i < 4; i++) send("control", megabyte);
  assert.equal(uplink.overfull, false);
  send("control", "x");
  assert.equal(uplink.overfull, true);
  uplink.release(21);
  assert.equal(uplink.overfull, false);
});

test("random networks: control all and in order, audio in order, counts add up", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = seeded(seed);
    const { uplink } = opened();
    const offered = { control: [], audio: [], video: [] };
    const sent = [];
    let held = 0;
    let now = 0;
    const give = (texts) => {
      for (const text of texts) {
        sent.push(text.trimEnd());
        held += text.length;
      }
    };
    for (let step = 0; step < 1500; step++) {
      const kind = random() < 0.1 ? "control" : random() < 0.1 ? "video" : "audio";
      const text = `${kind[0]}${offered[kind].length}`;
      offered[kind].push(text);
      uplink.offer(kind, text.padEnd(kind === "video" ? 90_000 : 1800), now, held);
      held = Math.max(0, held - Math.floor(random() * 2000));
      if (random() < 0.3) give(uplink.take(now, held));
      if (random() < 0.1) uplink.release(sent.length);
      now += 40;
    }
    give(uplink.take(now, -Infinity));
    const of = (letter) => sent.filter((text) => text.startsWith(letter));
    assert.deepEqual(of("c"), offered.control);
    const audio = of("a").map((text) => Number(text.slice(1)));
    assert.ok(audio.every((n, i) => i === 0 || n > audio[i - 1]));
    assert.equal(audio.length + uplink.dropped.audio, offered.audio.length);
    assert.equal(of("v").length + uplink.dropped.video, offered.video.length);
    assert.ok(uplink.dropped.audio > 0 && uplink.dropped.video > 0, "the network was slow enough");
  }
});
