import assert from "node:assert/strict";
import { test } from "node:test";

import { SampleRing } from "../../frontend/ring.js";
import { seeded } from "./signal.mjs";

test("random writes, reads and clears behave as a plain array does", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seeded(seed);
    const ring = new SampleRing();
    /** @type {number[]} */
    let model = [];
    let next = 0;
    for (let step = 0; step < 400; step++) {
      const length = Math.floor(random() ** 3 * 20000);
      const choice = random();
      if (choice < 0.48) {
        const samples = Float32Array.from({ length }, () => next++ % 100003);
        ring.write(samples);
        for (const sample of samples) model.push(sample);
      } else if (choice < 0.98) {
        const target = new Float32Array(length).fill(-1);
        const count = ring.read(target);
        assert.equal(count, Math.min(length, model.length));
        assert.deepEqual(target.subarray(0, count), Float32Array.from(model.splice(0, count)));
        assert.ok(target.subarray(count).every((sample) => sample === -1), "the rest is untouched");
      } else {
        assert.equal(ring.clear(), model.length);
        model = [];
      }
      assert.equal(ring.length, model.length);
    }
  }
});

test("a written array may be reused by its writer", () => {
  const ring = new SampleRing();
  const samples = Float32Array.of(1, 2, 3);
  ring.write(samples);
  samples.fill(9);
  const target = new Float32Array(3);
  ring.read(target);
  assert.deepEqual(target, Float32Array.of(1, 2, 3));
});

test("ten minutes at once come out whole, in quanta", () => {
  const ring = new SampleRing();
  const total = 24000 * 600;
  const chunk = new Float32Array(24000);
  for (let from = 0; from < total; from += chunk.length) {
    for (let i = 0; i < chunk.length; i++) chunk[i] = (from + i) % 65521;
    ring.write(chunk);
  }
  assert.equal(ring.length, total);
  const quantum = new Float32Array(64);
  for (let from = 0; from < total; from += quantum.length) {
    assert.equal(ring.read(quantum), 64);
    assert.equal(quantum[0], from % 65521);
    assert.equal(quantum[63], (from + 63) % 65521);
  }
  assert.equal(ring.read(quantum), 0);
});
