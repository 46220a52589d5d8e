import assert from "node:assert/strict";
import { test } from "node:test";

import { Conversation } from "../../frontend/resume.js";
import { seeded } from "./signal.mjs";

const SETUP = { setup: { model: "m" } };

/** A conversation and short ways to feed it; messages are objects, `serverContent` stands for any. */
function begin() {
  const conversation = new Conversation(SETUP);
  const it = {
    conversation,
    first: (resume) => JSON.parse(conversation.first(resume)),
    hear: (...messages) => messages.flatMap((message) => conversation.receive(JSON.stringify(message))),
    notice: (notice) => it.hear({ livegate: notice }),
    content: (text) => it.hear({ serverContent: { outputTranscription: { text } } }).map((fact) => fact.text),
    say: (n) => {
      conversation.uplink.offer("control", JSON.stringify({ n }), 0, 0);
      return it.take();
    },
    take: () => conversation.uplink.take(0, 0).map((text) => JSON.parse(text)),
    ack: () => JSON.parse(conversation.ack() ?? "null"),
  };
  return it;
}

/** One that was live, heard two messages after `setupComplete`, said 1 to 3, and was cut. */
function cut() {
  const it = begin();
  it.first(false);
  it.notice({ session: "ab", state: "connecting", token: "t1" });
  it.hear({ setupComplete: {} });
  for (const n of [1, 2, 3]) it.say(n);
  it.content("a");
  it.content("b");
  it.notice({ token: "t2", ack: 1 });
  it.conversation.lost();
  return it;
}

test("a session begins with its setup alone, and what is said waits until it is taken", () => {
  const it = begin();
  assert.deepEqual(it.first(true), SETUP, "there is nothing to resume");
  assert.deepEqual(it.say(1), []);
  it.notice({ session: "ab", state: "connecting", token: "t1" });
  assert.deepEqual(it.take(), []);
  it.hear({ setupComplete: {} });
  assert.deepEqual(it.take(), [{ n: 1 }]);
});

test("a resume begins with the same setup, the newest token and what was heard", () => {
  const it = cut();
  assert.ok(it.conversation.resumable);
  assert.deepEqual(it.first(true), { ...SETUP, livegate: { token: "t2", ack: 3 } });
  assert.deepEqual(it.ack(), null, "that was told with it");
});

test("until the answer only acks are sent, then what the gateway lacks", () => {
  const it = cut();
  it.first(true);
  assert.deepEqual(it.say(4), []);
  it.notice({ session: "ab", recovered: true, resend: 3, next: 4, token: "t3" });
  assert.deepEqual(it.take(), [{ n: 3 }, { n: 4 }]);
  assert.deepEqual(it.content("c"), ["c"]);
  assert.deepEqual(it.ack(), { livegate: { ack: 4 } });
  it.conversation.lost();
  assert.equal(it.first(true).livegate.token, "t3");
});

test("recovered: what comes a second time is ignored, what was left out is passed over", () => {
  const it = cut();
  it.first(true);
  it.notice({ recovered: true, resend: 4, next: 2, token: "t3" });
  assert.deepEqual([...it.content("a"), ...it.content("b"), ...it.content("c")], ["c"]);
  it.notice({ next: 9 });
  it.content("h");
  assert.deepEqual(it.ack(), { livegate: { ack: 9 } });
});

test("not recovered: the server's numbers begin again, the client's go on", () => {
  const it = cut();
  it.first(true);
  it.notice({ recovered: false, resend: 2, next: 1, token: "t3" });
  assert.deepEqual(it.take(), [{ n: 2 }, { n: 3 }]);
  assert.deepEqual(it.hear({ setupComplete: {} }).map(({ kind }) => kind), ["ready"]);
  assert.deepEqual(it.content("x"), ["x"]);
  assert.deepEqual(it.ack(), { livegate: { ack: 2 } });
  it.notice({ token: "t4", ack: 3 });
  it.conversation.lost();
  it.first(true);
  it.notice({ recovered: true, resend: 4, next: 3 });
  assert.deepEqual(it.say(4), [{ n: 4 }]);
});

test("a lost session is begun anew: no token, new numbers, the unanswered question again", () => {
  const it = cut();
  it.conversation.uplink.answered();
  it.say(4);
  assert.deepEqual(it.first(false), SETUP);
  assert.equal(it.conversation.resumable, false);
  assert.deepEqual(it.take(), []);
  it.notice({ token: "u1" });
  it.hear({ setupComplete: {} });
  assert.deepEqual(it.take(), [{ n: 4 }]);
  assert.deepEqual(it.ack(), { livegate: { ack: 1 } });
  it.conversation.lost();
  assert.deepEqual(it.first(true).livegate, { token: "u1", ack: 1 });
  it.notice({ recovered: true, resend: 1, next: 2 });
  assert.deepEqual(it.take(), [{ n: 4 }]);
});

test("a session lost is told to the next one, first of all and once", () => {
  const it = cut();
  it.conversation.uplink.answered();
  it.say(4);
  const recall = (setup) => ({ setup: { ...setup, told: true }, history: { history: 1 } });
  assert.deepEqual(JSON.parse(it.conversation.first(false, recall)), { ...SETUP, told: true });
  it.hear({ setupComplete: {} });
  assert.deepEqual(it.take(), [{ history: 1 }, { n: 4 }]);
  it.conversation.lost();
  it.conversation.first(false, (setup) => ({ setup, history: { history: 2 } }));
  it.hear({ setupComplete: {} });
  assert.deepEqual(it.take(), [{ history: 2 }, { n: 4 }]);
});

/** The gateway's side as the protocol has it, with a line that breaks anywhere. */
class Gateway {
  /** Client messages in the order that they count, and server messages with numbers from 1. */
  taken = [];
  kept = [];
  said = 0;
  released = 0;
  #expected = 1;

  /** @param {{livegate?: {ack: number, next?: number}, n?: number}} message */
  receive(message) {
    if (message.livegate) {
      if (message.livegate.next !== undefined) this.#expected = message.livegate.next;
      this.#acked(message.livegate.ack ?? 0);
      return;
    }
    assert.equal(this.#expected, this.taken.length + 1);
    this.taken.push(message.n);
    this.#expected++;
  }

  /** @returns {object[]} the answer, and what the client lacks */
  resume({ ack }) {
    this.#acked(ack);
    this.#expected = this.taken.length + 1;
    const answer = { recovered: true, resend: this.#expected, next: this.kept[0]?.number ?? this.said + 1 };
    return [{ livegate: answer }, ...this.kept.map(({ message }) => message)];
  }

  say() {
    const number = ++this.said;
    const message = { serverContent: { outputTranscription: { text: String(number) } } };
    this.kept.push({ number, message });
    return message;
  }

  #acked(ack) {
    this.kept = this.kept.filter(({ number }) => number > ack);
  }
}

test("random cuts: each message counts once and in order, both ways", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seeded(seed);
    const it = begin();
    const gateway = new Gateway();
    const heard = [];
    let asked = 0;
    /** What is under way, lost with the connection. */
    let up = [];
    let down = [];
    const hear = (message) => heard.push(...it.hear(message).filter(({ kind }) => kind === "said"));
    it.first(false);
    it.notice({ token: "t" });
    it.conversation.uplink.open();
    for (let step = 0; step < 1500; step++) {
      const dice = random();
      if (dice < 0.3) up.push(...it.say(++asked));
      else if (dice < 0.55) down.push(gateway.say());
      else if (dice < 0.7) up.splice(0, 3).forEach((message) => gateway.receive(message));
      else if (dice < 0.85) down.splice(0, 3).forEach(hear);
      else if (dice < 0.92) up.push(...[it.ack()].filter(Boolean));
      else if (dice < 0.96) {
        gateway.released = Math.max(gateway.released, Math.floor(random() * (gateway.taken.length + 1)));
        down.push({ livegate: { token: "t", ack: gateway.released } });
      } else {
        // Some of what was under way arrives, in either direction, the rest never.
        up.slice(0, Math.floor(random() * up.length)).forEach((message) => gateway.receive(message));
        down.slice(0, Math.floor(random() * down.length)).forEach(hear);
        it.conversation.lost();
        up = [];
        down = gateway.resume(it.first(true).livegate);
        if (random() < 0.3) it.say(++asked);
        hear(down.shift());
        up.push(...it.take());
      }
    }
    up.forEach((message) => gateway.receive(message));
    down.forEach(hear);
    assert.deepEqual(gateway.taken, Array.from({ length: asked }, (_, i) => i + 1));
    assert.deepEqual(heard.map(({ text }) => Number(text)), Array.from({ length: gateway.said }, (_, i) => i + 1));
  }
});
