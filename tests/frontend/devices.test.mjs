import assert from "node:assert/strict";
import { test } from "node:test";

import { choicesOf } from "../../frontend/devices.js";
import { audioConstraints, cameraConstraints, settlePrefs } from "../../frontend/prefs.js";
import { deviceLost } from "../../frontend/problems.js";
import { slept } from "../../frontend/survive.js";

const device = (kind, deviceId, label = "") => ({ kind, deviceId, label });
const DEVICES = [
  device("audioinput", "default", "Default"),
  device("audioinput", "a", "Headset"),
  device("audioinput", "b"),
  device("videoinput", "c", "Webcam"),
];

test("a picker lists its own kind, and what was chosen although it is unplugged", () => {
  assert.deepEqual(choicesOf(DEVICES, "mic", "a"), [["", "System default"], ["a", "Headset"], ["b", "Microphone 2"]]);
  assert.deepEqual(choicesOf(DEVICES, "camera", "z").at(-1), ["z", "Not connected now"]);
  assert.deepEqual(choicesOf([device("videoinput", "")], "camera", "z").at(-1), ["z", "As chosen before"]);
  assert.deepEqual(choicesOf([device("audioinput", "")], "mic", ""), [["", "System default"]]);
});

test("preferences hold as far as they make sense", () => {
  const defaults = settlePrefs(null);
  assert.deepEqual(defaults, settlePrefs({ mic: 3, echo: "x", fps: 99, quality: "best", theme: "pink" }));
  const chosen = { ...defaults, mic: "a", echo: false, record: false, fps: 0.2, quality: "low", theme: "dark" };
  assert.deepEqual(settlePrefs({ ...chosen, fps: "0.2" }), chosen);
});

test("switches and devices become constraints", () => {
  const prefs = { ...settlePrefs(null), echo: false };
  const plain = { echoCancellation: false, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  assert.deepEqual(audioConstraints(prefs), plain);
  assert.deepEqual(audioConstraints({ ...prefs, mic: "a" }).deviceId, { exact: "a" });
  assert.equal(cameraConstraints(prefs, "environment").facingMode, "environment");
  assert.deepEqual(cameraConstraints({ ...prefs, camera: "c" }, "user").deviceId, { exact: "c" });
});

test("a lost device says whether it was unplugged or forbidden", () => {
  assert.match(deviceLost("microphone", false), /disconnected.*type/);
  assert.match(deviceLost("camera", true), /permission.*Allow/);
});

test("a late timer is a sleep, but not that of a hidden tab", () => {
  assert.ok(slept(60_000, false) && slept(600_000, true));
  assert.ok(!slept(6000, false) && !slept(61_000, true));
});
