// What the page says is in one file: that of index.html, and that of its scripts.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";

import { closeRule } from "../../frontend/closes.js";
import { PAGE, S } from "../../frontend/strings.js";

const FRONTEND = new URL("../../frontend/", import.meta.url);
const ts = createRequire(import.meta.url)("./js/node_modules/typescript");

/** What only browsers without scripts, other pages and the operator's title replace. */
const NOT_WORDS = ["livegate", "This page needs JavaScript."];
/** Keys, names of the DOM, a class list, a selector, a part of a WAV file. */
const NAMES = /^(Enter|Escape|Space|Files|\w+Error|numbers numbers-tools|fmt |input, .*)$/;

/** @param {string} html */
function textsOf(html) {
  const body = html.slice(html.indexOf("<body"));
  const attributes = [...body.matchAll(/ (?:aria-label|title|placeholder|alt)="([^"]+)"/g)];
  const texts = [...body.matchAll(/>([^<]+)</g)];
  return new Set([...attributes, ...texts].map(([, text]) => text.trim()).filter(Boolean));
}

test("index.html says what strings.js says", async () => {
  const said = textsOf(await readFile(new URL("index.html", FRONTEND), "utf8"));
  for (const name of NOT_WORDS) assert.ok(said.delete(name), name);
  assert.deepEqual([...said].sort(), Object.keys(PAGE).sort());
  for (const [text, put] of Object.entries(PAGE)) assert.equal(put, text, "in English");
});

/**
 * Literals that read like words for a person: several, or one that is capitalised.
 * @param {string} name of a module
 * @param {string} code
 */
function wordsIn(name, code) {
  const found = [];
  const visit = (node) => {
    // An error that is thrown is for who writes the page.
    const called = ts.isNewExpression(node) && node.expression.getText();
    if (called && /(Error|Exception)$/.test(called)) return;
    const isText = ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node);
    if (isText || ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node)) {
      const { text } = node;
      const isWords = /^\p{Lu}\p{Ll}+|\p{L} | \p{L}/u.test(text);
      if (isWords && !NAMES.test(text)) found.push(`${name}: ${text}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(name, code, ts.ScriptTarget.Latest, true));
  return found;
}

test("no other module has words for a person", async () => {
  assert.deepEqual(wordsIn("x", 'a("Try again"); b(`Now ${c} is it`); d("in this page"); e("Sent")').length, 5);
  const found = [];
  for (const name of await readdir(FRONTEND, { recursive: true })) {
    // What tools tell is for the model.
    if (!name.endsWith(".js") || name === "strings.js" || name.startsWith("tools/")) continue;
    found.push(...wordsIn(name, await readFile(new URL(name, FRONTEND), "utf8")));
  }
  assert.deepEqual(found, []);
});

test("the gateway's words for a close can be translated, too", (t) => {
  const rule = { name: "busy", action: "wait", text: "Busy." };
  assert.equal(closeRule({ 4100: rule }, 4100), rule);
  t.after(() => delete S.gatewayCloses[4100]);
  S.gatewayCloses[4100] = "Besetzt.";
  assert.deepEqual(closeRule({ 4100: rule }, 4100), { ...rule, text: "Besetzt." });
});
