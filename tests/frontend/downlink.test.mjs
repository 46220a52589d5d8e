import assert from "node:assert/strict";
import { test } from "node:test";

import { Downlink } from "../../frontend/downlink.js";

test("messages are numbered from 1, and told once", () => {
  const downlink = new Downlink();
  assert.equal(downlink.untold, false);
  assert.ok(downlink.take(10));
  assert.ok(downlink.take(10));
  assert.equal(downlink.untold, true);
  assert.equal(downlink.ack(), 2);
  assert.equal(downlink.untold, false);
});

test("what came before is no news, what was left out is not missed", () => {
  const downlink = new Downlink();
  for (let i = 0; i < 5; i++) downlink.take(1);
  downlink.expect(4);
  assert.deepEqual([1, 1, 1].map((bytes) => downlink.take(bytes)), [false, false, true]);
  assert.equal(downlink.last, 6);
  downlink.expect(20);
  assert.ok(downlink.take(1));
  assert.equal(downlink.last, 20);
});

test("64 KB press", () => {
  const downlink = new Downlink();
  downlink.take(65_535);
  assert.equal(downlink.pressing, false);
  downlink.take(1);
  assert.equal(downlink.pressing, true);
  downlink.ack();
  assert.equal(downlink.pressing, false);
});

test("another numbering begins at 1 again", () => {
  const downlink = new Downlink();
  for (let i = 0; i < 5; i++) downlink.take(1);
  downlink.restart();
  assert.ok(downlink.take(1));
  assert.equal(downlink.ack(), 1);
});
