import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Connection } from "../../frontend/connection.js";

/** Stands in for the browser's WebSocket; the test plays the server. */
class FakeSocket {
  /** @type {FakeSocket} */
  static last;
  readyState = 0;
  bufferedAmount = 0;
  sent = [];
  onopen = null;
  onmessage = null;
  onclose = null;

  constructor(url, protocol) {
    Object.assign(this, { url, protocol });
    FakeSocket.last = this;
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closedWith = code;
    this.readyState = 2;
    this.onclose?.({ code, reason: "" });
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  receive(message) {
    this.onmessage?.({ data: typeof message === "object" && !(message instanceof ArrayBuffer) ? JSON.stringify(message) : message });
  }
}

const SETUP = { setup: { model: "m" } };

/** @type {{log: any[], connection: Connection}} */
let it;

/** Opens the next socket, as far as the gateway's first words. */
function dial(resume = false) {
  it.connection.connect(resume);
  const socket = FakeSocket.last;
  socket.open();
  return socket;
}

/** A socket of a session that the model has taken. */
function live() {
  const socket = dial();
  socket.receive({ livegate: { state: "connecting", token: "t1" } });
  socket.receive({ setupComplete: {} });
  socket.sent.length = 0;
  return socket;
}

beforeEach(() => {
  const log = [];
  const connection = new Connection(
    "ws://gateway/ws",
    SETUP,
    {
      opened: () => log.push("opened"),
      fact: (fact) => log.push(fact.kind),
      closed: (end) => log.push(end),
      overfull: () => log.push("overfull"),
    },
    FakeSocket,
  );
  it = { log, connection };
});

test("asks for the subprotocol, sends the setup first, reports opening, facts and the end", () => {
  const socket = dial();
  assert.equal(socket.protocol, "livegate.v1");
  assert.deepEqual(socket.sent, [SETUP]);
  socket.receive({ setupComplete: {} });
  socket.onclose({ code: 4101, reason: "busy" });
  assert.deepEqual(it.log, ["opened", "ready", { code: 4101, reason: "busy" }]);
});

test("binary messages are read as text ones are", () => {
  dial().receive(new TextEncoder().encode('{"setupComplete":{}}').buffer);
  assert.deepEqual(it.log, ["opened", "ready"]);
});

test("what is sent too early waits for the session", () => {
  it.connection.send({ n: 1 });
  const socket = dial();
  it.connection.send({ n: 2 });
  assert.deepEqual(socket.sent, [SETUP]);
  socket.receive({ setupComplete: {} });
  assert.deepEqual(socket.sent, [SETUP, { n: 1 }, { n: 2 }]);
});

test("acks count all but notices, one a second, only when the count changed", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const socket = dial();
  socket.sent.length = 0;
  socket.receive({ livegate: { state: "connecting" } });
  t.mock.timers.tick(5000);
  assert.deepEqual(socket.sent, []);
  socket.receive({ setupComplete: {} });
  socket.receive({ somethingNew: {} });
  t.mock.timers.tick(999);
  assert.deepEqual(socket.sent, []);
  socket.receive({ serverContent: {} });
  t.mock.timers.tick(1);
  assert.deepEqual(socket.sent, [{ livegate: { ack: 3 } }]);
  t.mock.timers.tick(5000);
  assert.equal(socket.sent.length, 1);
  for (let i = 0; i < 30; i++) {
    socket.receive({ serverContent: {} });
    t.mock.timers.tick(100);
  }
  assert.deepEqual(socket.sent.slice(1), [
    { livegate: { ack: 13 } },
    { livegate: { ack: 23 } },
    { livegate: { ack: 33 } },
  ]);
});

test("64 KB are acknowledged at once, however full the socket is", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const socket = live();
  socket.bufferedAmount = 1e6;
  for (let i = 0; i < 4; i++) socket.receive({ serverContent: { text: "x".repeat(20_000) } });
  assert.deepEqual(socket.sent, [{ livegate: { ack: 5 } }]);
});

test("on a slow network audio waits and goes out as the socket empties", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const socket = live();
  socket.bufferedAmount = 1e6;
  it.connection.send({ n: 1 }, "audio");
  it.connection.send({ n: 2 }, "video");
  it.connection.send({ n: 3 });
  t.mock.timers.tick(200);
  assert.deepEqual(socket.sent, []);
  socket.bufferedAmount = 0;
  t.mock.timers.tick(40);
  assert.deepEqual(socket.sent, [{ n: 1 }, { n: 3 }]);
  assert.deepEqual(it.connection.dropped, { audio: 0, video: 1 });
});

test("a lost connection is resumed: what was under way and what was said meanwhile goes out", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const first = live();
  it.connection.send({ n: 1 });
  it.connection.send({ n: 2 }, "audio");
  first.onclose({ code: 1006, reason: "" });
  it.connection.send({ n: 3 }, "audio");
  it.connection.send({ n: 4 });
  const second = dial(true);
  assert.deepEqual(second.sent, [{ ...SETUP, livegate: { token: "t1", ack: 1 } }]);
  it.connection.send({ n: 5 });
  t.mock.timers.tick(2000);
  assert.equal(second.sent.length, 1, "the answer isn't there yet");
  second.receive({ livegate: { recovered: true, resend: 2, next: 2 } });
  assert.deepEqual(second.sent.slice(1), [{ n: 2 }, { n: 3 }, { n: 4 }, { n: 5 }]);
  assert.deepEqual(first.sent, [{ n: 1 }, { n: 2 }]);
});

test("a dropped socket leaves the session; without a token it ends it", () => {
  const first = dial();
  it.connection.drop();
  assert.equal(first.closedWith, 1000);
  const second = live();
  it.connection.drop();
  assert.equal(second.closedWith, 4000);
  second.receive({ serverContent: { interrupted: true } });
  assert.deepEqual(it.log, ["opened", "opened", "notice", "ready"], "neither is heard again");
  const third = dial(true);
  assert.equal(third.sent[0].livegate.token, "t1");
});

test("a session can be begun anew", () => {
  live().onclose({ code: 4002, reason: "" });
  assert.deepEqual(dial(false).sent, [SETUP]);
});

test("too much unconfirmed is reported", () => {
  live();
  for (let i = 0; i < 5; i++) it.connection.send({ text: "x".repeat(1 << 20) });
  assert.equal(it.log.at(-1), "overfull");
});

test("after close nothing is reported, acked or sent", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const socket = live();
  it.connection.close();
  assert.equal(socket.closedWith, 1000);
  socket.receive({ serverContent: {} });
  it.connection.send({ n: 1 });
  t.mock.timers.tick(5000);
  assert.deepEqual(it.log, ["opened", "notice", "ready"]);
  assert.deepEqual(socket.sent, []);
});

test("a close from within a fact drops the rest of that message", () => {
  const log = [];
  const connection = new Connection(
    "ws://gateway/ws",
    SETUP,
    {
      opened: () => {},
      fact: (fact) => {
        log.push(fact.kind);
        connection.close();
      },
      closed: () => log.push("closed"),
      overfull: () => {},
    },
    FakeSocket,
  );
  connection.connect(false);
  FakeSocket.last.open();
  FakeSocket.last.receive({ serverContent: { interrupted: true, turnComplete: true } });
  assert.deepEqual(log, ["interrupted"]);
});
