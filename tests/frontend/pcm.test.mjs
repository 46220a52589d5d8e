import assert from "node:assert/strict";
import { test } from "node:test";

import {
  bytesToPcm16,
  floatToPcm16,
  fromBase64,
  pcm16ToBytes,
  pcm16ToFloat,
  rms,
  toBase64,
} from "../../frontend/pcm.js";

test("every PCM16 value survives the way to float and back", () => {
  const all = Int16Array.from({ length: 65536 }, (_, i) => i - 32768);
  assert.deepEqual(floatToPcm16(pcm16ToFloat(all)), all);
});

test("floats outside the range are clamped, not wrapped", () => {
  const samples = Float32Array.of(-7, -1.0001, -1, 0, 1, 1.0001, 7, Infinity, -Infinity, NaN);
  assert.deepEqual(
    [...floatToPcm16(samples)],
    [-32768, -32768, -32768, 0, 32767, 32767, 32767, 32767, -32768, 0],
  );
});

test("the wire is little-endian", () => {
  assert.deepEqual([...pcm16ToBytes(Int16Array.of(1, -2, 0x1234))], [1, 0, 0xfe, 0xff, 0x34, 0x12]);
  assert.deepEqual([...bytesToPcm16(Uint8Array.of(0, 1, 0xfe, 0xff, 0x34, 0x12))], [256, -2, 0x1234]);
});

test("bytes at an odd offset are read, a trailing odd byte is ignored", () => {
  const bytes = Uint8Array.of(99, 1, 0, 2, 0, 7).subarray(1);
  assert.deepEqual([...bytesToPcm16(bytes)], [1, 2]);
});

test("base64 round trip, also above the size of one call", () => {
  for (const length of [0, 1, 2, 3, 0x2000, 0x2001, 150_001]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255);
    const text = toBase64(bytes);
    assert.equal(text, Buffer.from(bytes).toString("base64"));
    assert.deepEqual(fromBase64(text), bytes);
  }
});

test("URL-safe base64 is taken too", () => {
  const bytes = Uint8Array.of(0xfb, 0xff, 0xfe);
  assert.deepEqual(fromBase64(Buffer.from(bytes).toString("base64url")), bytes);
});

test("rms of a full-scale square is 1, of nothing 0", () => {
  assert.equal(rms(Float32Array.of(1, -1, 1, -1)), 1);
  assert.equal(rms(new Float32Array(0)), 0);
});
