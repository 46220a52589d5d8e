// @ts-check
/** The panel of numbers: latency of the last turn, tokens and cost, and which tools are offered. */

import { element } from "./tool-view.js";
import { S } from "./strings.js";

/** @typedef {keyof typeof S.hops} Hop */

/** Draws into one element. */
export class NumbersView {
  #latency = element("div", "numbers");
  #usage = element("div", "numbers");
  #tools = element("fieldset", "numbers numbers-tools");

  /**
   * @param {HTMLElement} root
   * @param {HTMLButtonElement} button opens and closes it
   */
  constructor(root, button) {
    root.append(
      element("h2", "", S.latency),
      this.#latency,
      element("h2", "", S.usage),
      this.#usage,
      this.#tools,
    );
    this.#latency.dataset.testid = "latency";
    this.#usage.dataset.testid = "cost";
    button.hidden = false;
    button.addEventListener("click", () => {
      root.hidden = !root.hidden;
      button.ariaExpanded = String(!root.hidden);
    });
    this.showLatency(null);
    this.#usage.append(element("p", "hint", S.noUsage));
  }

  /** @param {import("./latency.js").Turn | null} turn */
  showLatency(turn) {
    if (!turn) {
      this.#latency.replaceChildren(element("p", "hint", S.noTurn));
      return;
    }
    const list = element("dl", "hops");
    for (const hop of /** @type {Hop[]} */ (Object.keys(S.hops))) {
      const typed = hop === "total_ms" && !turn.spoken;
      const ms = turn[hop];
      const value = element("dd", "", ms === null ? "–" : S.took(ms));
      value.dataset.hop = hop;
      list.append(element("dt", "", typed ? S.typedTotal : S.hops[hop]), value);
    }
    this.#latency.replaceChildren(list, element("p", "hint", S.between));
  }

  /**
   * @param {{rows: import("./cost.js").Row[], cost: number | null}} bill
   * @param {number} total tokens
   * @param {import("./cost.js").Prices | null} prices
   */
  showUsage({ rows, cost }, total, prices) {
    if (rows.length === 0) {
      this.#usage.replaceChildren(element("p", "hint", S.noUsage));
      return;
    }
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const column of S.usageColumns) {
      const cell = element("th", "", column);
      cell.setAttribute("scope", "col");
      head.append(column ? cell : document.createElement("td"));
    }
    const body = table.createTBody();
    for (const row of rows) {
      const modality = S.modalities[row.modality] ?? row.modality.toLowerCase().replaceAll("_", " ");
      const name = `${S.directions[row.direction]}, ${modality}`;
      line(body, name, row.tokens, money(row.cost, prices));
    }
    line(table.createTFoot(), S.total, total, money(cost, prices));
    const hint = prices?.placeholder ? [element("p", "hint", S.placeholderPrices)] : [];
    this.#usage.replaceChildren(table, ...hint);
  }

  /**
   * @param {{name: string, description: string, where: "page" | "server", on: boolean}[]} tools
   * @param {(name: string, on: boolean) => void} changed
   */
  showTools(tools, changed) {
    const rows = tools.map(({ name, description, where, on }) => {
      const label = element("label", "tool-switch");
      const input = document.createElement("input");
      input.type = "checkbox";
      input.checked = on;
      input.name = name;
      input.addEventListener("change", () => changed(name, input.checked));
      const text = element("span", "", name);
      text.append(element("small", "hint", `${description.split("\n")[0]} (${S.toolWhere[where]})`));
      label.append(input, text);
      return label;
    });
    this.#tools.replaceChildren(element("legend", "", S.toolsOffered), ...rows, element("p", "hint", S.toolsLater));
  }
}

/**
 * @param {HTMLTableSectionElement} section
 * @param {string} name
 * @param {number} tokens
 * @param {string} cost
 */
function line(section, name, tokens, cost) {
  const row = section.insertRow();
  const head = element("th", "", name);
  head.setAttribute("scope", "row");
  row.append(head, element("td", "", tokens.toLocaleString(S.lang)), element("td", "cost", cost));
}

/**
 * @param {number | null} cost
 * @param {import("./cost.js").Prices | null} prices
 */
function money(cost, prices) {
  if (cost === null || !prices) return S.unknown;
  // Little is not nothing.
  const amount = cost > 0 && cost < 0.0001 ? "< 0.0001" : cost.toFixed(4);
  return `${amount} ${prices.currency}`;
}
