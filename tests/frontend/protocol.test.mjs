import assert from "node:assert/strict";
import { test } from "node:test";

import * as protocol from "../../frontend/protocol.js";

const SPEAKS = { id: "m-1", name: "M", input: [], output: ["audio"], needs_history_config: false, retires: null };
const WRITES = { ...SPEAKS, id: "m-2", output: ["audio", "text"] };
const HISTORY = { ...SPEAKS, id: "m-3", needs_history_config: true };
const CHOICES = { model: "m-1", voice: "Kore", language: "de-DE", instruction: " Be brief. ", answer: "voice", temperature: null, transcription: true, window: 0, input: "open", speechStart: "", speechEnd: "", silence_ms: 0 };

const audio = (data) => ({ inlineData: { mimeType: "audio/pcm;rate=24000", data } });

/** What a message becomes, in order. */
const TABLE = [
  ["setupComplete", { setupComplete: {} }, [{ kind: "ready", session: "" }]],
  ["its session", { setupComplete: { sessionId: "s" } }, [{ kind: "ready", session: "s" }]],
  [
    "every part of one event",
    { serverContent: { modelTurn: { role: "model", parts: [audio("AAA="), { text: "one" }, audio("AQE="), { text: "two" }] } } },
    [
      { kind: "audio", data: "AAA=", rate_hz: 24000 },
      { kind: "text", text: "one" },
      { kind: "audio", data: "AQE=", rate_hz: 24000 },
      { kind: "text", text: "two" },
    ],
  ],
  [
    "interrupted before the content of the same message, wherever its key stands",
    { serverContent: { modelTurn: { parts: [audio("AAA=")] }, outputTranscription: { text: "hi" }, interrupted: true } },
    [
      { kind: "interrupted" },
      { kind: "audio", data: "AAA=", rate_hz: 24000 },
      { kind: "said", text: "hi", finished: false },
    ],
  ],
  [
    "interrupted, content, turnComplete and usage in one",
    {
      usageMetadata: { totalTokenCount: 3 },
      serverContent: { turnComplete: true, interrupted: true, modelTurn: { parts: [{ text: "x" }] } },
    },
    [
      { kind: "interrupted" },
      { kind: "text", text: "x" },
      { kind: "turnComplete", reason: "" },
      { kind: "usage", usage: { prompt: 0, reply: 0, total: 3, input: {}, output: {} } },
    ],
  ],
  [
    "both transcripts",
    { serverContent: { inputTranscription: { text: "a", finished: true }, outputTranscription: { text: "b" } } },
    [
      { kind: "heard", text: "a", finished: true },
      { kind: "said", text: "b", finished: false },
    ],
  ],
  [
    "the end of a turn",
    { serverContent: { generationComplete: true, turnComplete: true, turnCompleteReason: "STOP" } },
    [{ kind: "generated" }, { kind: "turnComplete", reason: "STOP" }],
  ],
  ["a thought isn't an answer", { serverContent: { modelTurn: { parts: [{ text: "hm", thought: true }] } } }, [{ kind: "thought", text: "hm" }]],
  ["another rate", { serverContent: { modelTurn: { parts: [{ inlineData: { mimeType: "audio/pcm;rate=16000", data: "AA==" } }] } } }, [{ kind: "audio", data: "AA==", rate_hz: 16000 }]],
  ["no rate", { serverContent: { modelTurn: { parts: [{ inlineData: { mimeType: "audio/pcm", data: "AA==" } }] } } }, [{ kind: "audio", data: "AA==", rate_hz: 24000 }]],
  ["inline data that isn't audio", { serverContent: { modelTurn: { parts: [{ inlineData: { mimeType: "image/png", data: "AA==" } }] } } }, []],
  ["an empty turn", { serverContent: { modelTurn: {} } }, []],
  [
    "Vertex' usage",
    { usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 7, totalTokenCount: 12 } },
    [{ kind: "usage", usage: { prompt: 5, reply: 7, total: 12, input: unspecified(5), output: unspecified(7) } }],
  ],
  [
    "the Developer API's usage, int64 as text",
    { usageMetadata: { promptTokenCount: "5", responseTokenCount: "7" } },
    [{ kind: "usage", usage: { prompt: 5, reply: 7, total: 12, input: unspecified(5), output: unspecified(7) } }],
  ],
  [
    "tool calls",
    { toolCall: { functionCalls: [{ id: "1", name: "f", args: { some_key: 1 } }, { name: "g" }] } },
    [{ kind: "toolCall", calls: [{ id: "1", name: "f", args: { some_key: 1 } }, { id: "", name: "g", args: {} }] }],
  ],
  ["their cancellation", { toolCallCancellation: { ids: ["1"] } }, [{ kind: "toolCallCancelled", ids: ["1"] }]],
  ["goAway", { goAway: { timeLeft: "49.5s" } }, [{ kind: "goAway", timeLeft_s: 49.5 }]],
  ["goAway without a time", { goAway: {} }, [{ kind: "goAway", timeLeft_s: null }]],
  ["resumption", { sessionResumptionUpdate: { newHandle: "h", resumable: true } }, [{ kind: "resumption", resumable: true }]],
  ["what nobody knows yet", { somethingNew: { x: 1 } }, []],
];

for (const [name, message, facts] of TABLE) {
  test(`parse: ${name}`, () => {
    assert.deepEqual(protocol.parse(JSON.stringify(message)), { facts, counted: true });
    assert.deepEqual(protocol.parse(JSON.stringify(message, null, 2)), { facts, counted: true });
  });
}

/** Tokens that no bill itemises. */
function unspecified(n) {
  return { MODALITY_UNSPECIFIED: n };
}

test("parse: a notice is the gateway's own and doesn't count for acks", () => {
  assert.deepEqual(protocol.parse('{"livegate":{"state":"live"}}'), {
    facts: [{ kind: "notice", notice: { state: "live" } }],
    counted: false,
  });
});

test("parse: what isn't a JSON object is a fact, not an exception", () => {
  for (const text of ["", "{", "null", "3", '"x"']) {
    assert.deepEqual(protocol.parse(text), { facts: [{ kind: "malformed" }], counted: true });
  }
});

test("setup: voice, language, instruction, both transcripts", () => {
  assert.deepEqual(protocol.setupMessage(CHOICES, SPEAKS), {
    setup: {
      model: "m-1",
      generationConfig: {
        responseModalities: ["AUDIO"],
        speechConfig: {
          languageCode: "de-DE",
          voiceConfig: { prebuiltVoiceConfig: { voiceName: "Kore" } },
        },
      },
      inputAudioTranscription: {},
      outputAudioTranscription: {},
      systemInstruction: { parts: [{ text: "Be brief." }] },
    },
  });
});

test("setup: nothing is sent that wasn't chosen", () => {
  const bare = { ...CHOICES, voice: "", language: "", instruction: "  " };
  assert.deepEqual(protocol.setupMessage(bare, SPEAKS).setup.generationConfig, {
    responseModalities: ["AUDIO"],
  });
  assert.ok(!("systemInstruction" in protocol.setupMessage(bare, SPEAKS).setup));
});

test("setup: text from a model that writes; from one that only speaks, its transcript", () => {
  const written = protocol.setupMessage({ ...CHOICES, answer: "text" }, WRITES).setup;
  assert.deepEqual(written.generationConfig, {
    responseModalities: ["TEXT"],
    speechConfig: { languageCode: "de-DE" },
  });
  assert.ok(!("outputAudioTranscription" in written));
  const spoken = protocol.setupMessage({ ...CHOICES, answer: "text" }, SPEAKS).setup;
  assert.deepEqual(spoken.generationConfig.responseModalities, ["AUDIO"]);
  assert.deepEqual(spoken.outputAudioTranscription, {});
});

test("typed text: a turn, or realtime text where turns are only history", () => {
  assert.deepEqual(protocol.textMessage("hi", SPEAKS), {
    clientContent: { turns: [{ role: "user", parts: [{ text: "hi" }] }], turnComplete: true },
  });
  assert.deepEqual(protocol.textMessage("hi", HISTORY), { realtimeInput: { text: "hi" } });
});

test("realtime input, notices and tool responses", () => {
  assert.deepEqual(protocol.audioMessage("AA==", 16000), {
    realtimeInput: { audio: { data: "AA==", mimeType: "audio/pcm;rate=16000" } },
  });
  assert.deepEqual(protocol.videoMessage("AA=="), {
    realtimeInput: { video: { data: "AA==", mimeType: "image/jpeg" } },
  });
  assert.deepEqual(protocol.audioStreamEndMessage(), { realtimeInput: { audioStreamEnd: true } });
  assert.deepEqual(protocol.ackMessage(4), { livegate: { ack: 4 } });
  assert.deepEqual(protocol.nextMessage(5), { livegate: { next: 5 } });
  const setup = { setup: { model: "m" } };
  assert.deepEqual(protocol.resumeMessage(setup, "t", 6), { ...setup, livegate: { token: "t", ack: 6 } });
  assert.deepEqual(protocol.toolResponseMessage([{ id: "1", name: "f", response: { ok: true } }]), {
    toolResponse: { functionResponses: [{ id: "1", name: "f", response: { ok: true } }] },
  });
});

test("a lost conversation is told as history, as the model takes it", () => {
  const turns = [{ role: "user", text: "a" }, { role: "model", text: "b" }];
  const contents = turns.map(({ role, text }) => ({ role, parts: [{ text }] }));
  const setup = { setup: { model: "m" } };
  assert.deepEqual(protocol.withHistory(setup, turns, SPEAKS), {
    setup,
    history: { clientContent: { turns: contents, turnComplete: false } },
  });
  assert.deepEqual(protocol.withHistory(setup, turns, HISTORY), {
    setup: { setup: { model: "m", historyConfig: { initialHistoryInClientContent: true } } },
    history: { clientContent: { turns: contents, turnComplete: true } },
  });
});

const ABLE = { ...SPEAKS, proactive_audio: "optional", affective_dialog: "optional", google_search: true, context_compression: true };
const ALL = { ...CHOICES, temperature: 0, proactive: true, affective: true, search: true, window: 16_000, speechStart: "HIGH", speechEnd: "LOW", silence_ms: 800 };

test("setup: everything that a model can do and a person chose", () => {
  const { setup } = protocol.setupMessage(ALL, ABLE);
  assert.equal(setup.generationConfig.temperature, 0);
  assert.equal(setup.generationConfig.enableAffectiveDialog, true);
  assert.deepEqual(setup.proactivity, { proactiveAudio: true });
  assert.deepEqual(setup.tools, [{ googleSearch: {} }]);
  assert.deepEqual(setup.contextWindowCompression, { triggerTokens: "16000", slidingWindow: { targetTokens: "8000" } });
  assert.deepEqual(setup.realtimeInputConfig, {
    automaticActivityDetection: {
      startOfSpeechSensitivity: "START_SENSITIVITY_HIGH",
      endOfSpeechSensitivity: "END_SENSITIVITY_LOW",
      silenceDurationMs: 800,
    },
  });
});

test("setup: what the model always does, or can't, isn't sent", () => {
  const { setup } = protocol.setupMessage(ALL, { ...SPEAKS, proactive_audio: "always", affective_dialog: "none" });
  assert.ok(!("proactivity" in setup) && !("tools" in setup) && !("contextWindowCompression" in setup));
  assert.ok(!("enableAffectiveDialog" in setup.generationConfig));
});

test("setup: no transcription; push-to-talk switches the activity detection off", () => {
  const { setup } = protocol.setupMessage({ ...ALL, transcription: false, input: "push" }, ABLE);
  assert.ok(!("inputAudioTranscription" in setup) && !("outputAudioTranscription" in setup));
  assert.deepEqual(setup.realtimeInputConfig, { automaticActivityDetection: { disabled: true } });
});
