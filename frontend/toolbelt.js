// @ts-check
/** Tools and numbers of the page, wired: one object that is told what happens. */

import { outputLatency_s } from "./audio.js";
import { Bill } from "./cost.js";
import { byId } from "./dom.js";
import { fetchPrices, fetchTools } from "./gateway.js";
import { Latency } from "./latency.js";
import { NumbersView } from "./numbers-view.js";
import { markMessage, toolResponseMessage } from "./protocol.js";
import { ToolCalls, asResponse, equip } from "./tool-calls.js";
import { ToolView } from "./tool-view.js";
import { S } from "./strings.js";
import { PAGE_TOOLS } from "./tools/index.js";

/** The tools that a person turned off, by name. */
const STORED = "livegate.tools-off";

/** See the module's text. */
export class Toolbelt {
  #line;
  #calls = new ToolCalls();
  #view = new ToolView(byId("tools", HTMLElement));
  #numbers = new NumbersView(byId("panel", HTMLElement), byId("open-panel", HTMLButtonElement));
  #latency;
  #chunk_ms;
  #bill = new Bill();
  /** @type {import("./cost.js").Prices | null} */
  #prices = null;
  /** @type {import("./tool-calls.js").ServerTool[]} */
  #server = [];
  #off = new Set(stored());
  #model = "";
  #nonBlocking = false;
  #allowed = false;

  /**
   * @param {() => import("./connection.js").Connection | null} line the way to the gateway, if any
   * @param {number} chunk_ms of captured audio
   */
  constructor(line, chunk_ms) {
    this.#line = line;
    this.#chunk_ms = chunk_ms;
    this.#latency = new Latency(chunk_ms);
    this.#showTools();
  }

  /**
   * Asks the gateway what it has, once it may be asked.
   * @param {boolean} signedIn or nobody has to be
   */
  allow(signedIn) {
    if (signedIn && !this.#allowed) void this.#refresh();
    this.#allowed = signedIn;
  }

  async #refresh() {
    const [tools, prices] = await Promise.all([fetchTools(), fetchPrices()]);
    if (tools) this.#server = tools;
    if (prices) this.#prices = prices;
    this.#showTools();
    this.#showUsage();
  }

  #showTools() {
    const all = [
      ...PAGE_TOOLS.map(({ name, description }) => ({ name, description, where: /** @type {const} */ ("page") })),
      ...this.#server.map((tool) => ({ ...tool, where: /** @type {const} */ ("server") })),
    ].map((tool) => ({ ...tool, on: !this.#off.has(tool.name) }));
    this.#numbers.showTools(all, (name, on) => {
      if (on) this.#off.delete(name);
      else this.#off.add(name);
      store([...this.#off]);
    });
  }

  /**
   * A conversation begins.
   * @param {{setup: object}} first its first message
   * @param {{id: string, tool_calls?: string}} model
   * @returns {{setup: object}} the same with tools
   */
  begin(first, model) {
    this.#calls.begin();
    this.#latency = new Latency(this.#chunk_ms);
    this.#bill = new Bill();
    this.#model = model.id;
    this.#nonBlocking = model.tool_calls === "non_blocking";
    this.#show();
    this.#showUsage();
    if (this.#allowed) void this.#refresh(); // for the next one: tools may have come since
    const offered = (/** @type {{name: string}} */ { name }) => !this.#off.has(name);
    const server = this.#server.filter(offered).map(({ name }) => name);
    return equip(first, PAGE_TOOLS.filter(offered), server, this.#nonBlocking);
  }

  /**
   * Something happened; the page has yet to do what it must. A quick answer to a text would overtake
   * a mark that came after it.
   * @param {import("./session.js").Event} event
   */
  receive(event) {
    const now = performance.now();
    if (event.type === "fact") this.#fact(event.fact, now);
    else if (event.type === "text") this.#mark(this.#latency.wrote(now));
    else if (event.type === "speaking" && event.speaking) {
      this.#latency.sounds(now, outputLatency_s() * 1000);
      this.#numbers.showLatency(this.#latency.turn);
    } else if (event.type === "stop") {
      this.#calls.cancelled(null);
      this.#show();
    }
  }

  /**
   * @param {import("./protocol.js").Fact} fact
   * @param {number} now
   */
  #fact(fact, now) {
    switch (fact.kind) {
      case "audio":
      case "text":
      case "said":
        this.#latency.arrived(now);
        return;
      case "turnComplete":
        return this.#numbers.showLatency(this.#latency.turn);
      case "usage":
        this.#bill.add(fact.usage);
        return this.#showUsage();
      case "toolCall":
        for (const call of fact.calls) void this.#run(call);
        return;
      case "toolCallCancelled":
        this.#calls.cancelled(fact.ids);
        return this.#show();
      case "notice":
        return this.#notice(fact.notice, now);
    }
  }

  /**
   * @param {import("./protocol.js").Notice} notice
   * @param {number} now
   */
  #notice({ mark, tool, recovered }, now) {
    if (mark) this.#latency.told(mark, now);
    if (tool && "response" in tool) this.#calls.answered(tool.id, tool.response, now, tool.ms);
    else if (tool) this.#calls.called({ args: {}, ...tool }, "server", now);
    if (recovered === false) this.#calls.cancelled(null);
    if (tool || recovered === false) this.#show();
  }

  /** @param {number | null} level of a chunk that was sent; null: the key to talk was released */
  spoke(level) {
    const now = performance.now();
    this.#mark(level === null ? this.#latency.released(now) : this.#latency.heard(level, now));
  }

  /** @param {number | null} mark */
  #mark(mark) {
    if (mark !== null) this.#line()?.tell(markMessage(mark));
  }

  /** @param {{id: string, name: string, args: Record<string, unknown>}} call */
  async #run(call) {
    this.#calls.called(call, "page", performance.now());
    this.#show();
    const tool = PAGE_TOOLS.find(({ name }) => name === call.name);
    /** @type {Record<string, unknown>} */
    let response;
    try {
      if (!tool) throw new Error(S.unknownTool);
      response = asResponse(await tool.run(call.args, this.#view));
    } catch (error) {
      response = { error: error instanceof Error ? error.message : String(error) };
    }
    const awaited = this.#calls.answered(call.id, response, performance.now());
    this.#show();
    if (!awaited) return;
    const scheduling = this.#nonBlocking && tool?.scheduling ? { scheduling: tool.scheduling } : {};
    this.#line()?.send(toolResponseMessage([{ id: call.id, name: call.name, response, ...scheduling }]));
  }

  #show() {
    this.#view.show(this.#calls.calls);
  }

  #showUsage() {
    this.#numbers.showUsage(this.#bill.reckon(this.#prices, this.#model), this.#bill.total, this.#prices);
  }
}

/** @returns {string[]} */
function stored() {
  try {
    const names = JSON.parse(localStorage.getItem(STORED) ?? "[]");
    return Array.isArray(names) ? names : [];
  } catch {
    return []; // what is stored is not ours, or nothing may be
  }
}

/** @param {string[]} names */
function store(names) {
  try {
    localStorage.setItem(STORED, JSON.stringify(names));
  } catch {
    // Private windows may forbid it: then it holds until the page is left.
  }
}
