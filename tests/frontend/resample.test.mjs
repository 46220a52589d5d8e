import assert from "node:assert/strict";
import { test } from "node:test";

import { Resampler } from "../../frontend/resample.js";
import { amplitudeAt, pieces, residue, seeded, sine } from "./signal.mjs";

/** Resamples in pieces of the lengths that `next()` gives. */
function resample(from, to, samples, next = () => 128) {
  const resampler = new Resampler(from, to);
  const out = [];
  const room = new Float32Array(Math.ceil((4096 * to) / from) + 2);
  for (const piece of pieces(samples, next)) {
    out.push(...room.subarray(0, resampler.process(piece, room)));
  }
  return Float32Array.from(out);
}

const RATES = [
  [48000, 16000],
  [44100, 16000],
  [96000, 16000],
  [22050, 16000],
  [24000, 48000],
  [24000, 44100],
  [24000, 96000],
  [24000, 16000],
  [8000, 16000],
];

for (const [from, to] of RATES) {
  test(`${from} to ${to}: a 1 kHz tone keeps its frequency and level`, () => {
    const out = resample(from, to, sine(1000, from, from));
    const settled = out.subarray(to / 10, (to * 9) / 10);
    assert.ok(Math.abs(amplitudeAt(1000, to, settled) - 0.5) < 0.001);
    assert.ok(residue(1000, to, settled) < 0.5 * 0.002, "anything but the tone is 54 dB below it");
  });

  test(`${from} to ${to}: a second in is a second out`, () => {
    const out = resample(from, to, sine(1000, from, from));
    const delay = (50 * to) / Math.min(from, to) + 2;
    assert.ok(out.length <= to && out.length > to - delay, `${out.length} samples`);
  });

  test(`${from} to ${to}: chunk boundaries don't change the output`, () => {
    const random = seeded(from + to);
    const samples = Float32Array.from({ length: 12000 }, () => random() * 2 - 1);
    const whole = resample(from, to, samples, () => 4096);
    const cut = resample(from, to, samples, () => 1 + Math.floor(random() * 700));
    const single = resample(from, to, samples, () => 1);
    assert.deepEqual(cut, whole);
    assert.deepEqual(single, whole);
  });
}

test("what lies above the new Nyquist frequency is taken out, not folded down", () => {
  // 11 kHz would fold to 5 kHz in the middle of speech.
  const out = resample(48000, 16000, sine(11000, 48000, 48000)).subarray(1600);
  assert.ok(amplitudeAt(5000, 16000, out) < 0.5 * 0.001);
});

test("speech up to 6.5 kHz keeps its level on the way to 16 kHz", () => {
  for (const hz of [100, 3000, 5000, 6500]) {
    const out = resample(48000, 16000, sine(hz, 48000, 48000)).subarray(1600, 14400);
    assert.ok(Math.abs(amplitudeAt(hz, 16000, out) - 0.5) < 0.01, `${hz} Hz`);
  }
});

test("equal rates pass samples on as they are", () => {
  const samples = sine(440, 16000, 2000);
  const out = resample(16000, 16000, samples);
  assert.deepEqual(out, samples.subarray(0, out.length));
  assert.ok(out.length > 1900);
});

test("a constant stays exactly that constant: the filter has no ripple at 0 Hz", () => {
  for (const [from, to] of RATES) {
    const out = resample(from, to, new Float32Array(from / 10).fill(0.25));
    for (const sample of out.subarray(200, 400)) assert.ok(Math.abs(sample - 0.25) < 1e-5);
  }
});

test("needed() is the least input that yields so many samples", () => {
  const random = seeded(7);
  for (const [from, to] of RATES) {
    const resampler = new Resampler(from, to);
    for (let i = 0; i < 200; i++) {
      const want = 1 + Math.floor(random() * 300);
      const needed = resampler.needed(want);
      const out = new Float32Array(want);
      if (needed > 0) {
        assert.ok(resampler.process(new Float32Array(needed - 1), out.subarray(0, 0)) === 0);
        assert.equal(resampler.needed(want), 1);
        assert.equal(resampler.process(new Float32Array(1), out), want);
      } else {
        assert.equal(resampler.process(new Float32Array(0), out), want);
      }
    }
  }
});

test("reset forgets the past", () => {
  const resampler = new Resampler(48000, 16000);
  const room = new Float32Array(4096);
  resampler.process(sine(300, 48000, 5000), room);
  resampler.reset();
  const again = resampler.process(sine(1000, 48000, 4000), room);
  const fresh = resample(48000, 16000, sine(1000, 48000, 4000), () => 4000);
  assert.deepEqual(room.slice(0, again), fresh);
});
