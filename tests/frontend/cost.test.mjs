// Tokens and their cost, as the gateway's ledger counts them.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { Bill, tokensOf } from "../../frontend/cost.js";

const PRICES = {
  currency: "USD",
  per_tokens: 1000,
  placeholder: false,
  models: { m: { input: { AUDIO: 3, TEXT: 1 }, output: { AUDIO: 10 } } },
};

test("a bill is read by direction and modality; thoughts are written text", () => {
  const metadata = {
    promptTokenCount: "12",
    promptTokensDetails: [{ modality: "AUDIO", tokenCount: "7" }, { modality: "TEXT", tokenCount: 3 }],
    responseTokenCount: 5,
    responseTokensDetails: [{ modality: "AUDIO", tokenCount: 5 }],
    toolUsePromptTokenCount: 2,
    thoughtsTokenCount: 4,
  };
  assert.deepEqual(tokensOf(metadata), {
    input: { AUDIO: 7, TEXT: 3, MODALITY_UNSPECIFIED: 4 },
    output: { AUDIO: 5, TEXT: 4 },
  });
  assert.deepEqual(tokensOf(undefined), { input: {}, output: {} });
  assert.deepEqual(tokensOf({ candidatesTokenCount: 3 }).output, { MODALITY_UNSPECIFIED: 3 });
});

test("bills add up, and cost what the table says", () => {
  const bill = new Bill();
  bill.add({ input: { AUDIO: 1000, TEXT: 500 }, output: {} });
  bill.add({ input: { AUDIO: 1000 }, output: { AUDIO: 100 } });
  const { rows, cost } = bill.reckon(PRICES, "m");
  assert.equal(bill.total, 2600);
  assert.deepEqual(rows[0], { direction: "input", modality: "AUDIO", tokens: 2000, cost: 6 });
  assert.equal(cost, 6 + 0.5 + 1);
});

test("a price that is missing makes the cost unknown, and never zero", () => {
  const bill = new Bill();
  bill.add({ input: { AUDIO: 10 }, output: { TEXT: 1 } });
  const { rows, cost } = bill.reckon(PRICES, "m");
  assert.deepEqual(rows.map((row) => row.cost), [0.03, null]);
  assert.equal(cost, null);
  assert.equal(bill.reckon(PRICES, "another").cost, null);
  assert.equal(bill.reckon(null, "m").cost, null);
});

test("a price of zero is a price", () => {
  const free = { ...PRICES, models: { m: { input: { TEXT: 0 }, output: {} } } };
  const bill = new Bill();
  bill.add({ input: { TEXT: 10 }, output: {} });
  assert.equal(bill.reckon(free, "m").cost, 0);
});

test("the table that ships is one", async () => {
  const shipped = new URL("../../libs/livegate/src/livegate/data/prices.json", import.meta.url);
  const prices = JSON.parse(await readFile(shipped, "utf8"));
  const bill = new Bill();
  bill.add({ input: { AUDIO: 1 }, output: { AUDIO: 1 } });
  assert.ok(bill.reckon(prices, "gemini-3.8-live").cost > 0);
});
