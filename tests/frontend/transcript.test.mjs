import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_ENTRIES, Transcript } from "../../frontend/transcript.js";

/** Plays `[method, ...arguments]` steps; gives "who: text" lines as a view that applies the changes has them. */
function play(steps) {
  const transcript = new Transcript();
  /** @type {{id: number, line: () => string}[]} */
  const shown = [];
  for (const [method, ...rest] of steps) {
    for (const change of transcript[method](...rest)) {
      if (change.change === "remove") {
        shown.splice(shown.findIndex(({ id }) => id === change.id), 1);
      } else if (change.change === "insert") {
        const at = change.before === null ? shown.length : shown.findIndex(({ id }) => id === change.before);
        const { entry } = change;
        shown.splice(at, 0, {
          id: entry.id,
          line: () => `${entry.who}: ${entry.text}${entry.interrupted ? " /" : ""}`,
        });
      }
    }
  }
  const lines = shown.map(({ line }) => line());
  assert.deepEqual(lines, transcript.entries.map(({ who, text, interrupted }) => `${who}: ${text}${interrupted ? " /" : ""}`));
  return lines;
}

const TABLE = [
  [
    "fragments join, turns part",
    [
      ["userSaid", " Hel", false],
      ["userSaid", "lo", false],
      ["modelSaid", " Hi"],
      ["modelSaid", " there"],
      ["turnComplete"],
      ["userSaid", "Bye", true],
      ["modelSaid", "Bye"],
    ],
    ["user: Hello", "model: Hi there", "user: Bye", "model: Bye"],
  ],
  [
    "what the person said may come after the answer began: it lands before it",
    [["modelSaid", "Four."], ["userSaid", "Two and", false], ["userSaid", " two?", true], ["turnComplete"]],
    ["user: Two and two?", "model: Four."],
  ],
  [
    "late words join the question of the same turn",
    [["userSaid", "Two and", false], ["modelSaid", "Four."], ["userSaid", " two?", false]],
    ["user: Two and two?", "model: Four."],
  ],
  [
    "an interruption marks the answer; the old turn's end doesn't cut the new question",
    [
      ["modelSaid", "Once upon"],
      ["interrupted"],
      ["userSaid", "Stop", false],
      ["turnComplete"],
      ["userSaid", " it", false],
      ["modelSaid", "All right."],
      ["turnComplete"],
    ],
    ["model: Once upon /", "user: Stop it", "model: All right."],
  ],
  [
    "an interruption whose turnComplete never came doesn't swallow the next one",
    [["modelSaid", "a"], ["interrupted"], ["modelSaid", "b"], ["turnComplete"], ["modelSaid", "c"]],
    ["model: a /", "model: b", "model: c"],
  ],
  [
    "typed text is a turn of its own",
    [["userTyped", "one"], ["userTyped", "two"], ["modelSaid", "x"], ["userTyped", "three"], ["modelSaid", "y"]],
    ["user: one", "user: two", "model: x", "user: three", "model: y"],
  ],
  [
    "speech after typed text isn't put before its answer",
    [["userTyped", "one"], ["modelSaid", "x"], ["userSaid", "hm", false]],
    ["user: one", "model: x", "user: hm"],
  ],
  ["notes part turns", [["modelSaid", "a"], ["note", "anew"], ["modelSaid", "b"]], ["model: a", "event: anew", "model: b"]],
  ["blank fragments make no entry", [["userSaid", "", true], ["modelSaid", " \n"], ["turnComplete"]], []],
];

for (const [name, steps, lines] of TABLE) {
  test(name, () => assert.deepEqual(play(steps), lines));
}

test("the oldest entries go", () => {
  const steps = Array.from({ length: MAX_ENTRIES + 5 }, (_, i) => ["userTyped", `m${i}`]);
  const lines = play(steps);
  assert.equal(lines.length, MAX_ENTRIES);
  assert.equal(lines[0], "user: m5");
});

test("an entry is open while more of it may come", () => {
  const transcript = new Transcript();
  transcript.modelSaid("a");
  assert.equal(transcript.entries[0].open, true);
  transcript.turnComplete();
  assert.equal(transcript.entries[0].open, false);
});

/** What a new session is told after these steps. */
function history(steps) {
  const transcript = new Transcript();
  for (const [method, ...rest] of steps) transcript[method](...rest);
  return transcript.history().map(({ role, text }) => `${role}: ${text}`);
}

const HISTORIES = [
  ["nothing was said", [["note", "x"]], []],
  ["nothing was answered", [["userTyped", "one"]], []],
  [
    "up to the last answer, notes left out",
    [["userTyped", "one"], ["modelSaid", "x"], ["turnComplete"], ["note", "n"], ["userTyped", "two"], ["modelSaid", "y"], ["userTyped", "three"]],
    ["user: one", "model: x", "user: two", "model: y"],
  ],
  ["two of one side are one turn", [["userTyped", "one"], ["userTyped", "two"], ["modelSaid", "x"]], ["user: one\ntwo", "model: x"]],
  [
    "only what was said since it began",
    [["userTyped", "old"], ["modelSaid", "old"], ["turnComplete"], ["begin"], ["userTyped", "new"], ["modelSaid", "x"]],
    ["user: new", "model: x"],
  ],
  [
    "the newest, if it is too much",
    [["userTyped", "a".repeat(9000)], ["modelSaid", "b".repeat(9000)], ["userTyped", "c"], ["modelSaid", "d"]],
    [`model: ${"b".repeat(9000)}`, "user: c", "model: d"],
  ],
];

for (const [name, steps, turns] of HISTORIES) {
  test(`history: ${name}`, () => assert.deepEqual(history(steps), turns));
}
