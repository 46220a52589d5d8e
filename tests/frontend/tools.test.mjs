// Tools: what the model is offered, what became of each call, and the page's own ones.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";

import { resumeMessage, withHistory } from "../../frontend/protocol.js";
import { MOST_CALLS, ToolCalls, asResponse, equip } from "../../frontend/tool-calls.js";
import { paint } from "../../frontend/tools/draw.js";
import { PAGE_TOOLS } from "../../frontend/tools/index.js";

const FIRST = { setup: { model: "m" } };
const PAGE = [
  { name: "a", description: "A.", run() {} },
  { name: "b", description: "B.", parameters: { type: "object" }, scheduling: "SILENT", run() {} },
];

test("the page's tools are declared and the gateway's asked for", () => {
  assert.deepEqual(equip(FIRST, PAGE, ["s"], false), {
    setup: {
      model: "m",
      tools: [
        {
          functionDeclarations: [
            { name: "a", description: "A." },
            { name: "b", description: "B.", parametersJsonSchema: { type: "object" } },
          ],
        },
      ],
    },
    livegate: { tools: ["s"] },
  });
});

test("a model that goes on meanwhile is told which answers it need not wait for", () => {
  const [{ functionDeclarations }] = equip(FIRST, PAGE, [], true).setup.tools;
  assert.deepEqual(functionDeclarations.map(({ behavior }) => behavior), [undefined, "NON_BLOCKING"]);
});

test("without tools the message is as it was; other tools stay", () => {
  assert.deepEqual(equip(FIRST, [], [], false), FIRST);
  const search = { setup: { tools: [{ googleSearch: {} }] } };
  assert.equal(equip(search, PAGE, [], false).setup.tools.length, 2);
});

test("the gateway's tools are asked for again on a resume and in a new session", () => {
  const first = equip(FIRST, [], ["s"], false);
  assert.deepEqual(resumeMessage(first, "t", 3).livegate, { tools: ["s"], token: "t", ack: 3 });
  const model = { needs_history_config: true };
  const { setup } = withHistory(first, [{ role: "user", text: "x" }], model);
  assert.deepEqual(setup.livegate, { tools: ["s"] });
  assert.equal(setup.setup.model, "m");
});

test("an answer is an object, and never an empty one", () => {
  assert.deepEqual(asResponse({ a: 1 }), { a: 1 });
  assert.deepEqual(asResponse({}), { result: {} });
  assert.deepEqual(asResponse([1]), { result: [1] });
  assert.deepEqual(asResponse(undefined), { result: null });
});

test("a call runs, is answered once, and cancelled only while it runs", () => {
  const calls = new ToolCalls();
  const call = { id: "1", name: "a", args: { x: 1 } };
  calls.called(call, "page", 100);
  calls.called(call, "page", 150);
  assert.equal(calls.calls.length, 1);
  assert.equal(calls.answered("1", { result: 1 }, 130), true);
  calls.cancelled(["1"]);
  assert.equal(calls.answered("1", { result: 2 }, 140), false);
  assert.deepEqual(calls.calls[0], {
    ...call,
    where: "page",
    state: "done",
    began_ms: 100,
    response: { result: 1 },
    ms: 30,
  });
  calls.called({ ...call, id: "2" }, "server", 200);
  calls.answered("2", { error: "no" }, 300, 7);
  assert.deepEqual([calls.calls[1].state, calls.calls[1].ms], ["failed", 7]);
  calls.called({ ...call, id: "3" }, "server", 200);
  calls.cancelled(null);
  assert.equal(calls.calls[2].state, "cancelled");
  assert.equal(calls.answered("unknown", {}, 0), false);
});

test("only so many cards are kept", () => {
  const calls = new ToolCalls();
  for (let n = 0; n < MOST_CALLS + 5; n++) calls.called({ id: `${n}`, name: "a", args: {} }, "page", 0);
  assert.equal(calls.calls.length, MOST_CALLS);
  assert.equal(calls.calls.at(-1).id, `${MOST_CALLS + 4}`);
});

test("every module in the folder is in the registry, under a name that the Live API takes", async () => {
  const files = await readdir(new URL("../../frontend/tools/", import.meta.url));
  assert.equal(PAGE_TOOLS.length, files.length - 1);
  for (const { name, description } of PAGE_TOOLS) {
    assert.match(name, /^[A-Za-z_][A-Za-z0-9_]{0,63}$/);
    assert.ok(description.length > 10);
  }
  assert.equal(new Set(PAGE_TOOLS.map(({ name }) => name)).size, PAGE_TOOLS.length);
});

test("the clock tells the time three ways", () => {
  const { local, time_zone, utc } = PAGE_TOOLS[0].run({}, {});
  assert.ok(local.includes(String(new Date().getFullYear())));
  assert.ok(time_zone.length > 0);
  assert.ok(Math.abs(Date.parse(utc) - Date.now()) < 5000);
});

/** A canvas context that keeps what is called. */
function context() {
  const calls = [];
  const names = ["clearRect", "fillRect", "fillText", "beginPath", "arc", "fill", "moveTo", "lineTo", "stroke"];
  const methods = names.map((name) => [name, (...args) => calls.push([name, ...args])]);
  return { calls, ...Object.fromEntries(methods) };
}

test("each shape is drawn where it was asked for; what is no number is the middle", () => {
  const canvas = context();
  assert.deepEqual(paint(canvas, { shape: "circle", x: "?" }), { drawn: "circle", x: 50, y: 50 });
  assert.deepEqual(canvas.calls[1].slice(0, 4), ["arc", 50, 50, 10]);
  paint(canvas, { shape: "rectangle", x: 10, y: 20, width: 4, height: 6, color: "red" });
  assert.deepEqual(canvas.calls.at(-1), ["fillRect", 8, 17, 4, 6]);
  assert.equal(canvas.fillStyle, "red");
  paint(canvas, { shape: "line", x: 0, y: 0, width: 9, height: 8 });
  assert.deepEqual(canvas.calls.at(-2), ["lineTo", 9, 8]);
  paint(canvas, { shape: "text", text: "hi" });
  assert.deepEqual(canvas.calls.at(-1), ["fillText", "hi", 50, 50]);
  assert.deepEqual(paint(canvas, { shape: "clear" }), { cleared: true });
  assert.throws(() => paint(canvas, { shape: "elephant" }), /shape must be one of/);
});
