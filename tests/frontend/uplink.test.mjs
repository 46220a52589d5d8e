import assert from "node:assert/strict";
import { test } from "node:test";

import { Uplink } from "../../frontend/uplink.js";
import { seeded } from "./signal.mjs";

const FULL = 1e6;
const CHUNK = "a".repeat(1800);

test("an empty socket is given everything at once", () => {
  const uplink = new Uplink();
  for (const kind of ["control", "audio", "video"]) {
    assert.deepEqual(uplink.offer(kind, kind, 0), [kind]);
  }
  assert.deepEqual(uplink.dropped, { audio: 0, video: 0 });
});

test("video goes first: dropped while the socket still holds something, audio isn't", () => {
  const uplink = new Uplink();
  assert.deepEqual(uplink.offer("video", "frame", 20_000), []);
  assert.deepEqual(uplink.offer("audio", "chunk", 20_000), ["chunk"]);
  assert.deepEqual(uplink.dropped, { audio: 0, video: 1 });
});

test("video isn't sent past what is held back", () => {
  const uplink = new Uplink();
  uplink.offer("audio", "chunk", FULL);
  assert.deepEqual(uplink.offer("video", "frame", 0), []);
  assert.deepEqual(uplink.drain(0), ["chunk"]);
});

test("then the oldest audio: two seconds are kept, control messages all", () => {
  const uplink = new Uplink();
  uplink.offer("control", "first", FULL);
  for (let i = 0; i < 80; i++) {
    assert.deepEqual(uplink.offer("audio", `a${i}`, FULL), []);
    if (i % 20 === 0) uplink.offer("control", `c${i}`, FULL);
  }
  assert.deepEqual(uplink.dropped, { audio: 30, video: 0 });
  const sent = uplink.drain(0);
  assert.deepEqual(sent.filter((text) => !text.startsWith("a")), ["first", "c0", "c20", "c40", "c60"]);
  assert.deepEqual(
    sent.filter((text) => text.startsWith("a")),
    Array.from({ length: 50 }, (_, i) => `a${i + 30}`),
  );
  assert.ok(sent.indexOf("c60") > sent.indexOf("a59"), "the order is kept");
  assert.ok(sent.indexOf("c60") < sent.indexOf("a61"));
});

test("a drain gives the socket only as much as it may hold", () => {
  const uplink = new Uplink();
  for (let i = 0; i < 50; i++) uplink.offer("audio", CHUNK, FULL);
  const first = uplink.drain(0);
  assert.ok(first.length * CHUNK.length < 64 * 1024 + CHUNK.length);
  assert.ok(uplink.waiting > 0);
  assert.deepEqual(uplink.drain(FULL), []);
});

test("random networks: control all and in order, audio in order, counts add up", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = seeded(seed);
    const uplink = new Uplink();
    const offered = { control: [], audio: [], video: [] };
    const sent = [];
    let held = 0;
    const give = (texts) => {
      for (const text of texts) {
        sent.push(text.trimEnd());
        held += text.length;
      }
    };
    for (let step = 0; step < 3000; step++) {
      const kind = random() < 0.1 ? "control" : random() < 0.1 ? "video" : "audio";
      const text = `${kind[0]}${offered[kind].length}`;
      offered[kind].push(text);
      give(uplink.offer(kind, text.padEnd(kind === "video" ? 90_000 : 1800), held));
      held = Math.max(0, held - Math.floor(random() * 2000));
      if (random() < 0.3) give(uplink.drain(held));
    }
    give(uplink.drain(-Infinity));
    const of = (letter) => sent.filter((text) => text.startsWith(letter));
    assert.deepEqual(of("c"), offered.control);
    const audio = of("a").map((text) => Number(text.slice(1)));
    assert.ok(audio.every((n, i) => i === 0 || n > audio[i - 1]));
    assert.equal(audio.length + uplink.dropped.audio, offered.audio.length);
    assert.equal(of("v").length + uplink.dropped.video, offered.video.length);
    assert.ok(uplink.dropped.audio > 0 && uplink.dropped.video > 0, "the network was slow enough");
  }
});
