// @ts-check
/**
 * Function calls of a conversation: which tools the model is offered, and what became of each call.
 * Pure; times are passed in.
 */

/**
 * @typedef {import("./tools/index.js").PageTool} PageTool
 * @typedef {{name: string, description: string}} ServerTool one that the gateway runs
 *
 * @typedef {Object} Call a card
 * @property {string} id
 * @property {string} name
 * @property {Record<string, unknown>} args
 * @property {"page" | "server"} where it runs
 * @property {"running" | "done" | "failed" | "cancelled"} state
 * @property {unknown} [response]
 * @property {number} [ms] how long it took
 * @property {number} began_ms
 */

/** So many cards are kept. */
export const MOST_CALLS = 20;

/**
 * The first message of a session with tools: the page's own declared, the gateway's asked for.
 * @template {{setup: object}} T
 * @param {T} first
 * @param {readonly PageTool[]} page
 * @param {readonly string[]} server names
 * @param {boolean} nonBlocking whether the model goes on while it waits for an answer
 */
export function equip(first, page, server, nonBlocking) {
  const functionDeclarations = page.map(({ name, description, parameters, scheduling }) => ({
    name,
    description,
    ...(parameters && { parametersJsonSchema: parameters }),
    ...(nonBlocking && scheduling && { behavior: "NON_BLOCKING" }),
  }));
  const given = /** @type {{tools?: object[]}} */ (first.setup).tools ?? [];
  const own = page.length > 0 ? [{ functionDeclarations }] : [];
  const tools = [...given, ...own];
  return {
    ...first,
    setup: tools.length > 0 ? { ...first.setup, tools } : first.setup,
    ...(server.length > 0 && { livegate: { tools: [...server] } }),
  };
}

/**
 * A tool's answer as the Live API takes it: an object, and never an empty one.
 * @param {unknown} answer
 * @returns {Record<string, unknown>}
 */
export function asResponse(answer) {
  const isObject = typeof answer === "object" && answer !== null && !Array.isArray(answer);
  if (isObject && Object.keys(answer).length > 0) return { ...answer };
  return { result: answer ?? null };
}

/** The calls of one conversation, the newest last. */
export class ToolCalls {
  /** @type {Call[]} */
  #calls = [];

  /** @returns {readonly Readonly<Call>[]} */
  get calls() {
    return this.#calls;
  }

  /** A new conversation. */
  begin() {
    this.#calls = [];
  }

  /**
   * The model calls a tool. One that is told twice is one call.
   * @param {{id: string, name: string, args: Record<string, unknown>}} call
   * @param {"page" | "server"} where
   * @param {number} now_ms
   */
  called({ id, name, args }, where, now_ms) {
    if (this.#find(id)) return;
    this.#calls.push({ id, name, args, where, state: "running", began_ms: now_ms });
    this.#calls.splice(0, this.#calls.length - MOST_CALLS);
  }

  /**
   * @param {string} id
   * @param {unknown} response with an `error` it has failed
   * @param {number} now_ms
   * @param {number} [took_ms] if somebody who knows better says so
   * @returns {boolean} whether anybody still waits for it
   */
  answered(id, response, now_ms, took_ms) {
    const call = this.#find(id);
    if (call?.state !== "running") return false;
    const failed = typeof response === "object" && response !== null && "error" in response;
    call.state = failed ? "failed" : "done";
    call.response = response;
    call.ms = took_ms ?? now_ms - call.began_ms;
    return true;
  }

  /** @param {readonly string[] | null} ids null: all that are running */
  cancelled(ids) {
    for (const call of this.#calls) {
      const meant = ids === null || ids.includes(call.id);
      if (meant && call.state === "running") call.state = "cancelled";
    }
  }

  /** @param {string} id */
  #find(id) {
    return this.#calls.find((call) => call.id === id);
  }
}
