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

/** @type {{log: any[], connection: Connection, socket: FakeSocket}} */
let it;

beforeEach(() => {
  const log = [];
  const connection = new Connection(
    "ws://gateway/ws",
    {
      opened: () => log.push("opened"),
      fact: (fact) => log.push(fact.kind),
      closed: (end) => log.push(end),
    },
    FakeSocket,
  );
  it = { log, connection, socket: FakeSocket.last };
});

test("asks for the subprotocol and reports opening, facts and the end", () => {
  const { log, socket } = it;
  assert.equal(socket.protocol, "livegate.v1");
  socket.open();
  socket.receive({ setupComplete: {} });
  socket.onclose({ code: 4101, reason: "busy" });
  assert.deepEqual(log, ["opened", "ready", { code: 4101, reason: "busy" }]);
});

test("binary messages are read as text ones are", () => {
  const { log, socket } = it;
  socket.open();
  socket.receive(new TextEncoder().encode('{"setupComplete":{}}').buffer);
  assert.deepEqual(log, ["opened", "ready"]);
});

test("acks count all but notices, at most one a second, only when the count changed", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { socket } = it;
  socket.open();
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

test("on a slow network audio waits and goes out as the socket empties", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { connection, socket } = it;
  socket.open();
  socket.bufferedAmount = 1e6;
  connection.send({ n: 1 }, "audio");
  connection.send({ n: 2 }, "video");
  connection.send({ n: 3 });
  t.mock.timers.tick(200);
  assert.deepEqual(socket.sent, []);
  socket.bufferedAmount = 0;
  t.mock.timers.tick(40);
  assert.deepEqual(socket.sent, [{ n: 1 }, { n: 3 }]);
  assert.deepEqual(connection.dropped, { audio: 0, video: 1 });
});

test("after close nothing is reported, acked or sent", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { log, connection, socket } = it;
  socket.open();
  socket.receive({ setupComplete: {} });
  connection.close();
  assert.equal(socket.closedWith, 1000);
  socket.receive({ serverContent: {} });
  connection.send({ n: 1 });
  t.mock.timers.tick(5000);
  assert.deepEqual(log, ["opened", "ready"]);
  assert.deepEqual(socket.sent, []);
});

test("a close from within a fact drops the rest of that message", () => {
  const log = [];
  const connection = new Connection(
    "ws://gateway/ws",
    {
      opened: () => {},
      fact: (fact) => {
        log.push(fact.kind);
        connection.close();
      },
      closed: () => log.push("closed"),
    },
    FakeSocket,
  );
  FakeSocket.last.open();
  FakeSocket.last.receive({ serverContent: { interrupted: true, turnComplete: true } });
  assert.deepEqual(log, ["interrupted"]);
});
