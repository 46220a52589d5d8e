import assert from "node:assert/strict";
import { test } from "node:test";

import { Player } from "../../frontend/player.js";
import { amplitudeAt, pieces, seeded, sine } from "./signal.mjs";

const QUANTUM = 128;

/** Renders `seconds` in quanta; `each(report)` sees every report. */
function render(player, rate, seconds, each = () => {}) {
  const out = new Float32Array(Math.ceil((seconds * rate) / QUANTUM) * QUANTUM);
  for (let at = 0; at < out.length; at += QUANTUM) {
    player.render(out.subarray(at, at + QUANTUM));
    each(player.report(), at);
  }
  return out;
}

test("a burst far faster than real time: no sample dropped, none repeated", () => {
  // Equal rates pass samples on as they are, so each can be told apart.
  const player = new Player(24000, 24000);
  const samples = Float32Array.from({ length: 24000 * 30 }, (_, i) => (i + 1) / 1e6);
  const random = seeded(3);
  for (const piece of pieces(samples, () => 1 + Math.floor(random() * 9000))) player.push(piece);
  const out = render(player, 24000, 30.5);
  const first = out.findIndex((sample) => sample !== 0);
  assert.deepEqual(out.subarray(first, first + samples.length), samples);
  assert.ok(out.subarray(first + samples.length).every((sample) => sample === 0));
  assert.equal(player.report().played, samples.length);
  assert.equal(player.report().buffered, 0);
});

test("chunks that come just in time are one unbroken tone", () => {
  for (const rate of [44100, 48000]) {
    const player = new Player(24000, rate);
    const tone = sine(440, 24000, 24000 * 2);
    player.push(tone.subarray(0, 2400));
    let pushed = 2400;
    const out = render(player, rate, 2.3, (report) => {
      if (report.buffered < 1200 && pushed < tone.length) {
        player.push(tone.subarray(pushed, pushed + 960));
        pushed += 960;
      }
    });
    assert.equal(player.report().gaps, 1, "only the end");
    assert.ok(Math.abs(amplitudeAt(440, rate, out.subarray(rate / 2, rate * 1.5)) - 0.5) < 0.002);
  }
});

test("a flush is silent within 6 ms, and without a click", () => {
  const rate = 48000;
  const player = new Player(24000, rate);
  player.push(sine(200, 24000, 24000 * 20));
  const before = render(player, rate, 0.5);
  player.flush();
  const after = render(player, rate, 0.5);
  assert.ok(after.subarray(Math.ceil(rate * 0.006)).every((sample) => sample === 0));
  const seam = [...before.subarray(-200), ...after.subarray(0, 600)];
  // A 200 Hz sine of 0.5 moves at most 0.0131 a sample at 48 kHz, the fade adds a little.
  for (let i = 1; i < seam.length; i++) assert.ok(Math.abs(seam[i] - seam[i - 1]) < 0.02);
  const report = player.report();
  assert.equal(report.buffered, 0);
  assert.equal(report.audible, false);
  assert.equal(report.silencedFlush, 1);
  assert.equal(report.played + report.flushed, 24000 * 20);
});

test("audio pushed right after a flush is heard whole", () => {
  const player = new Player(24000, 24000);
  player.push(new Float32Array(24000).fill(0.5));
  render(player, 24000, 0.2);
  player.flush();
  const fresh = Float32Array.from({ length: 6000 }, (_, i) => -0.1 - i / 1e5);
  player.push(fresh);
  const out = render(player, 24000, 0.5);
  const first = out.findIndex((sample) => sample < 0);
  assert.ok(first >= 0 && first < 24000 * 0.012, "it begins as soon as the fade is over");
  assert.deepEqual(out.subarray(first, first + fresh.length), fresh);
});

test("two flushes in a row: the first fade goes on, both count as silenced", () => {
  const player = new Player(24000, 48000);
  player.push(sine(300, 24000, 24000));
  render(player, 48000, 0.2);
  player.flush();
  player.flush();
  const out = render(player, 48000, 0.05);
  assert.notEqual(out[0], 0);
  assert.equal(player.report().silencedFlush, 2);
});

test("a flush of silence is silent at once", () => {
  const player = new Player(24000, 48000);
  player.flush();
  assert.equal(player.report().silencedFlush, 1);
  assert.ok(render(player, 48000, 0.05).every((sample) => sample === 0));
});

test("a gap between chunks isn't the end of speech; 0.2 s of it is", () => {
  const player = new Player(24000, 24000);
  const chunk = sine(300, 24000, 2400);
  player.push(chunk);
  render(player, 24000, 0.25);
  assert.equal(player.report().audible, true);
  player.push(chunk);
  render(player, 24000, 0.12);
  assert.equal(player.report().audible, true);
  render(player, 24000, 0.3);
  assert.equal(player.report().audible, false);
});

test("a first crumb of audio waits a moment for more, but not for ever", () => {
  const player = new Player(24000, 24000);
  player.push(new Float32Array(480).fill(0.5));
  const early = render(player, 24000, 0.03);
  assert.ok(early.every((sample) => sample === 0));
  const later = render(player, 24000, 0.1);
  assert.equal(later.filter((sample) => sample === 0.5).length, 480);
});
