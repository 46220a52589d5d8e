import assert from "node:assert/strict";
import { test } from "node:test";

import { Retry } from "../../frontend/retry.js";

/** The waits before the first tries, each of which fails at once. */
function waits(action, count, random = 1) {
  const retry = new Retry(0, 60_000);
  return Array.from({ length: count }, () => retry.next(action, false, 0, random));
}

test("a lost connection: at once, then doubling from 0.25 to 5 s", () => {
  assert.deepEqual(waits("retry", 9), [0, 250, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
});

test("told to reconnect: at once, but not again and again", () => {
  assert.deepEqual(waits("reconnect", 6), [0, 1000, 2000, 4000, 8000, 15_000]);
});

test("told to wait: doubling from 1 to 15 s", () => {
  assert.deepEqual(waits("wait", 6), [1000, 2000, 4000, 8000, 15_000, 15_000]);
});

test("half of a wait is random", () => {
  assert.deepEqual(waits("wait", 2, 0), [500, 1000]);
  assert.deepEqual(waits("retry", 3, 0), [0, 125, 250]);
});

test("a minute without a connection is the end, after one last try", () => {
  const retry = new Retry(1000, 60_000);
  retry.next("retry", false, 1000, 1);
  for (let i = 0; i < 8; i++) retry.next("retry", false, 2000, 1);
  assert.equal(retry.next("retry", false, 59_000, 1), 2000);
  assert.equal(retry.next("retry", false, 61_000, 1), null);
});

test("each connection that worked begins a new minute", () => {
  const retry = new Retry(0, 60_000);
  retry.lost(300_000, 5000);
  assert.equal(retry.next("retry", false, 300_000, 1), 0);
});

test("connections that don't last come at longer and longer intervals, then to an end", () => {
  const retry = new Retry(0, 60_000);
  const seen = [];
  for (let now = 0; seen.at(-1) !== null; now += 5000) {
    retry.lost(now, 4000);
    seen.push(retry.next("retry", false, now, 1));
  }
  assert.deepEqual(seen.slice(0, 8), [0, 250, 500, 1000, 2000, 4000, 5000, 5000]);
  assert.equal(seen.length, 21);
});

test("one that lasted, or the network's return, starts the waits over", () => {
  const retry = new Retry(0, 60_000);
  for (let i = 0; i < 5; i++) retry.next("retry", false, 0, 1);
  retry.hasten();
  assert.equal(retry.next("retry", false, 0, 1), 0);
  assert.equal(retry.next("retry", false, 0, 1), 250);
  retry.lost(20_000, 10_000);
  assert.equal(retry.next("retry", false, 20_000, 1), 0);
});

test("at once may be asked for", () => {
  const retry = new Retry(0, 60_000);
  retry.next("wait", false, 0, 1);
  assert.equal(retry.next("reconnect", true, 0, 1), 0);
});

test("the gateway's own time to wait is kept, unless it is longer than it is tried", () => {
  const retry = new Retry(0, 60_000);
  assert.equal(retry.next("wait", false, 0, 1, 15_000), 15_000);
  assert.equal(retry.next("wait", false, 0, 1, 61_000), null);
});

test("it is tried as long as the gateway keeps a session", () => {
  const retry = new Retry(0, 5000);
  assert.equal(retry.next("retry", false, 4999, 1), 0);
  assert.equal(retry.next("retry", false, 5000, 1), null);
});
