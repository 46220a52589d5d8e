import assert from "node:assert/strict";
import { test } from "node:test";

import { Recording } from "../../frontend/recording.js";

const RATE = 24_000;
const tone = (seconds, value, rate = RATE) => new Int16Array(seconds * rate).fill(value);

/** The samples of a WAV file, by channel. */
function read(wav) {
  const view = new DataView(wav.buffer);
  const words = [0, 8, 12, 36].map((at) => new TextDecoder().decode(wav.subarray(at, at + 4)));
  assert.deepEqual(words, ["RIFF", "WAVE", "fmt ", "data"]);
  assert.equal(view.getUint32(4, true), wav.length - 8);
  assert.equal(view.getUint32(40, true), wav.length - 44);
  assert.equal(view.getUint32(24, true), RATE);
  const samples = new Int16Array(wav.buffer.slice(44));
  return [0, 1].map((channel) => samples.filter((_, i) => i % 2 === channel));
}

test("both voices stand where they were heard, whatever came in a burst", () => {
  const recording = new Recording();
  recording.said(tone(1, 1000, 16_000), 16_000, 11);
  // Two seconds of answer that arrive at once are heard one after the other.
  recording.answered(tone(1, 2000), RATE, 12);
  recording.answered(tone(1, 3000), RATE, 12);
  const [left, right] = read(recording.wav(RATE));
  assert.equal(left.length, 4 * RATE);
  assert.ok(Math.abs(left[RATE / 2] - 1000) <= 2);
  assert.equal(left[3 * RATE], 0);
  assert.deepEqual([right[RATE], right[2.5 * RATE], right[3.5 * RATE]], [0, 2000, 3000]);
});

test("what was cut off wasn't heard", () => {
  const recording = new Recording();
  recording.answered(tone(1, 2000), RATE, 10);
  recording.answered(tone(1, 2000), RATE, 10);
  recording.answered(tone(1, 2000), RATE, 10);
  recording.cut(11.5);
  recording.answered(tone(1, 500), RATE, 12);
  const right = read(recording.wav(RATE))[1];
  assert.equal(right.length, 3 * RATE);
  assert.deepEqual([right[1.25 * RATE], right[1.75 * RATE], right[2.5 * RATE]], [2000, 0, 500]);
});

test("chunks are put together without a gap, and twenty minutes are kept", () => {
  const recording = new Recording();
  for (let i = 1; i <= 50; i++) recording.said(tone(0.04, 7, RATE), RATE, 10 + i * 0.04 + (i % 3) * 0.004);
  const left = read(recording.wav(RATE))[0];
  assert.ok(left.every((sample) => sample === 7));
  assert.equal(left.length, 2 * RATE);
  recording.said(tone(1, 9), RATE, 5000);
  assert.equal(read(recording.wav(RATE))[0].length, RATE);
  recording.clear();
  assert.ok(recording.empty);
  assert.equal(recording.wav(RATE).length, 44);
});
