// The pure parts of modules that otherwise need a browser, and rules that hold for all of them.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";

import { closeRule } from "../../frontend/closes.js";
import { loudness } from "../../frontend/meter.js";
import { deviceProblem } from "../../frontend/problems.js";
import { frameSize } from "../../frontend/video.js";

const FRONTEND = new URL("../../frontend/", import.meta.url);

test("a frame's long side is at most 768, its shape is kept, it is never enlarged", () => {
  assert.deepEqual(frameSize(1280, 720, 768), { width: 768, height: 432 });
  assert.deepEqual(frameSize(720, 1280, 768), { width: 432, height: 768 });
  assert.deepEqual(frameSize(640, 480, 768), { width: 640, height: 480 });
});

test("loudness is 0 for silence, 1 for loud speech, and rises between", () => {
  assert.equal(loudness(0), 0);
  assert.equal(loudness(1), 1);
  assert.ok(loudness(0.01) < loudness(0.05) && loudness(0.05) < loudness(0.2));
});

test("device problems say what to do", () => {
  const denied = new DOMException("", "NotAllowedError");
  assert.match(deviceProblem("microphone", denied, true), /Allow it/);
  assert.match(deviceProblem("camera", new DOMException("", "NotFoundError"), true), /Connect one/);
  assert.match(deviceProblem("camera", new DOMException("", "NotReadableError"), true), /in use/);
  assert.match(deviceProblem("microphone", new TypeError(), false), /https/);
  assert.equal(deviceProblem("screen", denied, true), "", "closing the picker is a choice");
});

test("the gateway's table goes before the page's own, but 1000 is always an end", () => {
  const rule = { name: "x", action: "final", text: "x" };
  assert.equal(closeRule({ 1011: rule, 1000: rule }, 1011), rule);
  assert.equal(closeRule({ 1000: rule }, 1000).action, "ended");
});

test("the page obeys a strict content security policy: nothing inline, nothing from elsewhere", async () => {
  const page = await readFile(new URL("index.html", FRONTEND), "utf8");
  assert.doesNotMatch(page, /\sstyle=|<style|\son[a-z]+=|javascript:/);
  assert.doesNotMatch(page, /<script(?![^>]*\ssrc=)/);
  for (const [, address] of page.matchAll(/(?:src|href)="([^"#]+)"/g)) {
    await readFile(new URL(address, FRONTEND));
  }
  for (const name of await readdir(FRONTEND, { recursive: true })) {
    if (!/\.(js|css)$/.test(name)) continue;
    const text = await readFile(new URL(name, FRONTEND), "utf8");
    assert.doesNotMatch(text, /https?:\/\/(?!www\.w3\.org)|@import|\beval\(|new Function|innerHTML/, name);
    assert.ok(text.split("\n").length <= 400, `${name} is longer than 400 lines`);
  }
});

test("every control of the page has an accessible name", async () => {
  const page = await readFile(new URL("index.html", FRONTEND), "utf8");
  for (const [, tag, attributes, content] of page.matchAll(
    /<(button|textarea|select)\b([^>]*)>([\s\S]*?)<\/\1>/g,
  )) {
    const id = /id="([^"]+)"/.exec(attributes)?.[1];
    const words = content.replace(/<[^>]*>/g, "").trim();
    const named =
      /aria-label="[^"]+"/.test(attributes) ||
      page.includes(`<label for="${id}"`) ||
      (tag === "button" && words) ||
      // Its words are the choices, filled in later.
      id === "summary";
    assert.ok(named, `#${id} has no name`);
  }
});
