import assert from "node:assert/strict";
import { test } from "node:test";

import { Chunker } from "../../frontend/chunker.js";
import { amplitudeAt, pieces, seeded, sine } from "./signal.mjs";

for (const rate of [16000, 44100, 48000]) {
  test(`${rate} Hz: chunks of 40 ms at 16 kHz, on and on`, () => {
    const chunker = new Chunker(rate, 16000, 640);
    const chunks = [...pieces(sine(1000, rate, rate * 2), () => 128)].flatMap((piece) =>
      chunker.push(piece),
    );
    assert.ok(chunks.length === 49 || chunks.length === 50);
    assert.ok(chunks.every(({ pcm }) => pcm.length === 640));
    const joined = Float32Array.from(chunks.flatMap(({ pcm }) => [...pcm]));
    const settled = joined.subarray(1600, 30000);
    assert.ok(Math.abs(amplitudeAt(1000, 16000, settled) - 0.5 * 32767) < 40);
    assert.ok(Math.abs(chunks[20].level - 0.5 / Math.SQRT2) < 0.01);
  });
}

test("one large push gives all its chunks, equal to those of small pushes", () => {
  const random = seeded(11);
  const samples = Float32Array.from({ length: 48000 }, () => random() * 2 - 1);
  const large = new Chunker(48000, 16000, 640).push(samples);
  const small = new Chunker(48000, 16000, 640);
  const joined = [...pieces(samples, () => 1 + Math.floor(random() * 999))].flatMap((piece) =>
    small.push(piece),
  );
  assert.equal(large.length, 24);
  assert.deepEqual(joined, large);
});

test("an overdriven microphone is clamped", () => {
  const [chunk] = new Chunker(16000, 16000, 640).push(new Float32Array(1000).fill(3));
  assert.ok(chunk.pcm.every((sample) => sample === 32767));
});
