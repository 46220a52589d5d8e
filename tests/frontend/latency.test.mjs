// Where the time of a turn goes.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Latency, QUIET_MS } from "../../frontend/latency.js";

const CHUNK_MS = 40;

/** Speaks from 0 to `until_ms`, then is quiet; the marks with when they were made. */
function speak(latency, until_ms, end_ms) {
  const marks = [];
  for (let now = 0; now <= end_ms; now += CHUNK_MS) {
    const mark = latency.heard(now <= until_ms ? 0.2 : 0.001, now);
    if (mark !== null) marks.push([mark, now]);
  }
  return marks;
}

test("speech ends with a silence, and one mark says so", () => {
  const latency = new Latency(CHUNK_MS);
  assert.deepEqual(speak(latency, 1000, 5000), [[1, 1000 + 320]]);
  assert.ok(320 >= QUIET_MS);
  assert.equal(latency.heard(0.001, 9000), null);
});

test("with a key to talk, its release ends what was said", () => {
  const latency = new Latency(CHUNK_MS);
  assert.equal(latency.released(100), 1);
  assert.equal(latency.turn.spoken, true);
});

test("a turn is taken apart by what each clock has measured", () => {
  const latency = new Latency(CHUNK_MS);
  speak(latency, 1000, 1320);
  latency.told({ n: 1 }, 1330);
  latency.told({ n: 1, worker_ms: 4 }, 1335);
  latency.told({ n: 1, model_ms: 200 }, 1540);
  latency.arrived(1545);
  latency.arrived(1600);
  latency.sounds(1605, 20);
  latency.sounds(1700, 20);
  assert.deepEqual(latency.turn, {
    spoken: true,
    capture_ms: 40,
    edge_ms: 5,
    worker_ms: 2,
    model_ms: 520, // and the silence before the mark
    back_ms: 7,
    speaker_ms: 80,
    total_ms: 625,
  });
});

test("what is not known is not made up", () => {
  const latency = new Latency(CHUNK_MS);
  assert.equal(latency.turn, null);
  latency.arrived(10);
  latency.sounds(20, 0);
  assert.equal(latency.wrote(100), 1);
  latency.arrived(300);
  const { spoken, capture_ms, edge_ms, model_ms, back_ms, speaker_ms, total_ms } = latency.turn;
  assert.deepEqual([spoken, capture_ms, edge_ms, model_ms], [false, null, null, null]);
  assert.deepEqual([back_ms, speaker_ms, total_ms], [null, null, 200]);
});

test("the next mark begins anew, and late words on the former one count not", () => {
  const latency = new Latency(CHUNK_MS);
  latency.wrote(100);
  latency.arrived(150);
  assert.equal(latency.wrote(500), 2);
  latency.told({ n: 1, model_ms: 77 }, 510);
  assert.equal(latency.turn.model_ms, null);
  assert.equal(latency.turn.total_ms, null);
});
