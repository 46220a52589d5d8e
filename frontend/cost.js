// @ts-check
/**
 * What a conversation has used and what that costs, by the gateway's price table. Pure.
 *
 * Counts as the gateway's ledger does (libs/livegate, usage.py and prices.py): each `usageMetadata`
 * is a bill of its own. A price that the table lacks makes the cost unknown, which is not zero.
 */

/**
 * @typedef {Record<string, number>} Modalities tokens by modality
 * @typedef {{input: Modalities, output: Modalities}} Tokens
 *
 * @typedef {Object} Prices the answer of `/api/prices`
 * @property {string} currency
 * @property {number} per_tokens
 * @property {boolean} placeholder nobody's prices
 * @property {Record<string, {input: Modalities, output: Modalities}>} models
 *
 * @typedef {Object} Row
 * @property {"input" | "output"} direction
 * @property {string} modality
 * @property {number} tokens
 * @property {number | null} cost null: unknown
 */

export const UNSPECIFIED = "MODALITY_UNSPECIFIED";

/**
 * The tokens of one bill.
 * @param {any} metadata a `usageMetadata`
 * @returns {Tokens}
 */
export function tokensOf(metadata) {
  const m = metadata ?? {};
  /** @type {Tokens} */
  const tokens = { input: {}, output: {} };
  itemise(tokens.input, m.promptTokenCount, m.promptTokensDetails);
  itemise(tokens.input, m.toolUsePromptTokenCount, m.toolUsePromptTokensDetails);
  const answer = Math.max(count(m.candidatesTokenCount), count(m.responseTokenCount));
  const details = m.candidatesTokensDetails?.length ? m.candidatesTokensDetails : m.responseTokensDetails;
  itemise(tokens.output, answer, details);
  add(tokens.output, "TEXT", count(m.thoughtsTokenCount));
  return tokens;
}

/** A conversation's. */
export class Bill {
  /** @type {Tokens} */
  #tokens = { input: {}, output: {} };

  /** @param {Tokens} tokens */
  add({ input, output }) {
    for (const [modality, n] of Object.entries(input)) add(this.#tokens.input, modality, n);
    for (const [modality, n] of Object.entries(output)) add(this.#tokens.output, modality, n);
  }

  /** All tokens. */
  get total() {
    return [...Object.values(this.#tokens.input), ...Object.values(this.#tokens.output)].reduce(
      (sum, n) => sum + n,
      0,
    );
  }

  /**
   * @param {Prices | null} prices
   * @param {string} model
   * @returns {{rows: Row[], cost: number | null}}
   */
  reckon(prices, model) {
    const rows = /** @type {const} */ (["input", "output"]).flatMap((direction) =>
      Object.entries(this.#tokens[direction]).map(([modality, tokens]) => {
        const rate = prices?.models[model]?.[direction]?.[modality];
        const cost = rate === undefined || !prices ? null : (tokens * rate) / prices.per_tokens;
        return { direction, modality, tokens, cost };
      }),
    );
    /** @type {number | null} */
    let cost = prices ? 0 : null;
    for (const row of rows) cost = cost === null || row.cost === null ? null : cost + row.cost;
    return { rows, cost };
  }
}

/**
 * @param {Modalities} into
 * @param {unknown} total
 * @param {any[] | undefined} details
 */
function itemise(into, total, details) {
  let itemised = 0;
  for (const { modality = UNSPECIFIED, tokenCount } of details ?? []) {
    itemised += count(tokenCount);
    add(into, modality, count(tokenCount));
  }
  add(into, UNSPECIFIED, Math.max(0, count(total) - itemised));
}

/**
 * @param {Modalities} into
 * @param {string} modality
 * @param {number} n
 */
function add(into, modality, n) {
  if (n > 0) into[modality] = (into[modality] ?? 0) + n;
}

/**
 * int64 may come as a string.
 * @param {unknown} value
 */
function count(value) {
  const n = Number(value ?? 0);
  return Number.isFinite(n) && n > 0 ? n : 0;
}
