// @ts-check
/**
 * Who said what, in order: fragments in, entries out. Pure.
 *
 * The Live API doesn't order transcripts against audio or against each other: what the person
 * said may come after the model has begun to answer. Entries are kept by turn, so such words land
 * before the answer.
 */

/** Older entries go: a conversation of hours would slow the page down. */
export const MAX_ENTRIES = 500;
/** What a model is told of a conversation that it has lost: the newest of it, about 4,000 tokens. */
const MAX_HISTORY = 16_000;

/**
 * @typedef {Object} Entry
 * @property {number} id
 * @property {"user" | "model" | "event"} who
 * @property {string} text
 * @property {boolean} open more of it may come
 * @property {boolean} interrupted the person spoke over it
 *
 * @typedef {{change: "insert", entry: Entry, before: number | null}
 *   | {change: "update", entry: Entry}
 *   | {change: "remove", id: number}} Change `before` is the id of the entry that follows
 */

/** See the module's text. Each method returns what changed, in order. */
export class Transcript {
  /** @type {Entry[]} */
  #entries = [];
  #nextId = 1;
  /** @type {Entry | null} */
  #user = null;
  /** @type {Entry | null} */
  #model = null;
  /** A user entry of this turn exists already, open or not. */
  #userSpoke = false;
  /** The first entry of this conversation has this id or a later one. */
  #since = 1;
  /** After `interrupted` the old turn's `turnComplete` is still to come; it ends nothing new. */
  #cut = false;

  /** @returns {readonly Entry[]} */
  get entries() {
    return this.#entries;
  }

  /** A conversation begins; what is there is of others. */
  begin() {
    this.#since = this.#nextId;
  }

  /**
   * This conversation up to the model's last answer: what came after that is still to be answered.
   * @returns {import("./protocol.js").Turn[]} the newest, in order, two of a role never in a row
   */
  history() {
    const said = this.#entries.filter(({ id, who }) => id >= this.#since && who !== "event");
    /** @type {import("./protocol.js").Turn[]} */
    const turns = [];
    let left = MAX_HISTORY;
    for (const { who, text } of said.slice(0, said.findLastIndex(isModel) + 1).reverse()) {
      left -= text.length;
      if (left < 0) break;
      const role = who === "model" ? "model" : "user";
      if (turns[0]?.role === role) turns[0].text = `${text}\n${turns[0].text}`;
      else turns.unshift({ role, text });
    }
    return turns;
  }

  /**
   * A piece of what the person said.
   * @param {string} text
   * @param {boolean} finished no more of it comes
   * @returns {Change[]}
   */
  userSaid(text, finished) {
    const changes = this.#append("user", text);
    if (finished && this.#user) changes.push(...this.#close("user"));
    return changes;
  }

  /**
   * What the person typed: whole, and the start of a turn.
   * @param {string} text
   * @returns {Change[]}
   */
  userTyped(text) {
    const changes = this.#endTurn(false);
    const entry = this.#entry("user", text);
    entry.open = false;
    this.#userSpoke = true;
    return [...changes, ...this.#insert(entry)];
  }

  /**
   * A piece of the model's answer.
   * @param {string} text
   * @returns {Change[]}
   */
  modelSaid(text) {
    this.#cut = false;
    return this.#append("model", text);
  }

  /**
   * The person spoke over the model.
   * @returns {Change[]}
   */
  interrupted() {
    this.#cut = true;
    return this.#endTurn(true);
  }

  /** @returns {Change[]} */
  turnComplete() {
    if (this.#cut) {
      this.#cut = false;
      return [];
    }
    return this.#endTurn(false);
  }

  /**
   * Something that neither side said.
   * @param {string} text
   * @returns {Change[]}
   */
  note(text) {
    const changes = this.#endTurn(false);
    const entry = this.#entry("event", text);
    entry.open = false;
    return [...changes, ...this.#insert(entry)];
  }

  /**
   * @param {"user" | "model"} who
   * @param {string} text
   * @returns {Change[]}
   */
  #append(who, text) {
    const open = who === "user" ? this.#user : this.#model;
    if (open) {
      open.text += text;
      return [{ change: "update", entry: open }];
    }
    const trimmed = text.trimStart();
    if (!trimmed) return [];
    const entry = this.#entry(who, trimmed);
    if (who === "model") {
      this.#model = entry;
      return this.#insert(entry);
    }
    const late = this.#model && !this.#userSpoke ? this.#model : null;
    this.#user = entry;
    this.#userSpoke = true;
    return this.#insert(entry, late);
  }

  /**
   * @param {Entry["who"]} who
   * @param {string} text
   * @returns {Entry}
   */
  #entry(who, text) {
    return { id: this.#nextId++, who, text, open: true, interrupted: false };
  }

  /**
   * @param {Entry} entry
   * @param {Entry | null} [before]
   * @returns {Change[]}
   */
  #insert(entry, before = null) {
    const at = before ? this.#entries.indexOf(before) : this.#entries.length;
    this.#entries.splice(at, 0, entry);
    /** @type {Change[]} */
    const changes = [{ change: "insert", entry, before: before?.id ?? null }];
    if (this.#entries.length > MAX_ENTRIES) {
      const oldest = /** @type {Entry} */ (this.#entries.shift());
      changes.push({ change: "remove", id: oldest.id });
    }
    return changes;
  }

  /**
   * @param {"user" | "model"} who
   * @returns {Change[]}
   */
  #close(who) {
    const entry = who === "user" ? this.#user : this.#model;
    if (who === "user") this.#user = null;
    else this.#model = null;
    if (!entry) return [];
    entry.open = false;
    return [{ change: "update", entry }];
  }

  /**
   * @param {boolean} interrupted
   * @returns {Change[]}
   */
  #endTurn(interrupted) {
    if (this.#model) this.#model.interrupted = interrupted;
    this.#userSpoke = false;
    return [...this.#close("user"), ...this.#close("model")];
  }
}

/** @param {Entry} entry */
function isModel({ who }) {
  return who === "model";
}
