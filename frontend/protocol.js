// @ts-check
/**
 * The Live API's JSON as the page speaks it: messages out, facts in. Pure.
 *
 * Source: Google's BidiGenerateContent reference (proto3 JSON, lowerCamelCase), and the gateway's
 * `livegate.v1` notices, which sit under the one key `livegate`.
 */

import { tokensOf } from "./cost.js";

/**
 * @typedef {{data: string, rate_hz: number}} AudioData base64 PCM16
 *
 * @typedef {Object} Notice what the gateway itself says; each part may be missing
 * @property {string} [session]
 * @property {"connecting" | "waiting" | "live" | "resuming" | "moved"} [state] "waiting": for a
 *   place at the Live API
 * @property {{name: string, retry_s: number, text: string}} [limit] before a close for a limit
 * @property {string} [token] resumes the session; the newest counts
 * @property {number} [ack] the client's messages up to this one are needed no more
 * @property {number} [next] the number of the next server message; 0: what follows has none
 * @property {boolean} [recovered] the answer to a resume: nothing of what the server said is missing
 * @property {{ends_in_s: number}} [sign_in] it has expired; a connection with a new one goes on
 * @property {{n: number, worker_ms?: number, model_ms?: number}} [mark] on a mark of the client's
 * @property {{id: string, name: string, args?: Record<string, unknown>, response?: unknown, ms?: number}} [tool]
 *   the model calls one of the gateway's tools; with `response`, that has answered
 * @property {number} [resend] with it: the first client message that the gateway lacks
 *
 * @typedef {Object} Usage
 * @property {number} prompt tokens
 * @property {number} reply tokens
 * @property {number} total tokens
 * @property {Record<string, number>} input tokens by modality
 * @property {Record<string, number>} output the same
 *
 * @typedef {{kind: "notice", notice: Notice}
 *   | {kind: "ready", session: string}
 *   | {kind: "interrupted"}
 *   | ({kind: "audio"} & AudioData)
 *   | {kind: "text", text: string}
 *   | {kind: "thought", text: string}
 *   | {kind: "heard", text: string, finished: boolean}
 *   | {kind: "said", text: string, finished: boolean}
 *   | {kind: "generated"}
 *   | {kind: "turnComplete", reason: string}
 *   | {kind: "toolCall", calls: {id: string, name: string, args: Record<string, unknown>}[]}
 *   | {kind: "toolCallCancelled", ids: string[]}
 *   | {kind: "goAway", timeLeft_s: number | null}
 *   | {kind: "usage", usage: Usage}
 *   | {kind: "resumption", resumable: boolean}
 *   | {kind: "malformed"}} Fact
 *
 * @typedef {Object} Choices what a person chose for the next session
 * @property {string} model bare id
 * @property {string} voice "" for the server's default
 * @property {string} language BCP-47, "" for the model's own choice
 * @property {string} instruction
 * @property {"voice" | "text"} answer
 * @property {number | null} temperature null for the model's own
 * @property {boolean} transcription
 * @property {boolean} proactive it may stay silent where nobody spoke to it
 * @property {boolean} affective it follows the tone of a voice
 * @property {boolean} search with Google
 * @property {number} window the context is compressed at so many tokens; 0: when it is full
 * @property {"open" | "push"} input hands-free, or only while a key is held
 * @property {"" | "HIGH" | "LOW"} speechStart how easily speech is noticed; "" for the server's way
 * @property {"" | "HIGH" | "LOW"} speechEnd how soon it is taken to be over
 * @property {number} silence_ms that ends a turn; 0 for the server's own
 *
 * @typedef {{role: "user" | "model", text: string}} Turn
 *
 * @typedef {Object} Model the fields of a catalogue entry that the page uses
 * @property {string} id
 * @property {string} name
 * @property {string[]} input
 * @property {string[]} output
 * @property {"none" | "optional" | "always"} affective_dialog
 * @property {"none" | "optional" | "always"} proactive_audio
 * @property {boolean} google_search
 * @property {boolean} context_compression
 * @property {boolean} needs_history_config
 * @property {string | null} retires ISO date
 */

/**
 * The first message of a session.
 * @param {Choices} choices
 * @param {Model} model
 */
export function setupMessage(choices, model) {
  const asText = choices.answer === "text" && model.output.includes("text");
  /** @type {Record<string, unknown>} */
  const speechConfig = {};
  if (choices.language) speechConfig.languageCode = choices.language;
  if (choices.voice && !asText) {
    speechConfig.voiceConfig = { prebuiltVoiceConfig: { voiceName: choices.voice } };
  }
  const affective = choices.affective && model.affective_dialog === "optional";
  const realtime = realtimeConfig(choices);
  const instruction = choices.instruction.trim();
  const compressed = choices.window > 0 && model.context_compression;
  return {
    setup: {
      model: model.id,
      generationConfig: {
        responseModalities: [asText ? "TEXT" : "AUDIO"],
        ...(Object.keys(speechConfig).length > 0 && { speechConfig }),
        ...(choices.temperature !== null && { temperature: choices.temperature }),
        ...(affective && { enableAffectiveDialog: true }),
      },
      ...(choices.transcription && { inputAudioTranscription: {} }),
      // Without audio there is nothing to transcribe, and some servers refuse the field then.
      ...(choices.transcription && !asText && { outputAudioTranscription: {} }),
      ...(instruction && { systemInstruction: { parts: [{ text: instruction }] } }),
      ...(choices.proactive && model.proactive_audio === "optional" && {
        proactivity: { proactiveAudio: true },
      }),
      ...(choices.search && model.google_search && { tools: [{ googleSearch: {} }] }),
      ...(compressed && { contextWindowCompression: compression(choices.window) }),
      ...(realtime && { realtimeInputConfig: realtime }),
    },
  };
}

/**
 * What is compressed goes down to half; int64 is text in proto3 JSON.
 * @param {number} tokens
 */
function compression(tokens) {
  return {
    triggerTokens: String(tokens),
    slidingWindow: { targetTokens: String(Math.round(tokens / 2)) },
  };
}

/**
 * How the server finds where speech begins and ends; null for its own way.
 * @param {Choices} choices
 */
function realtimeConfig({ input, speechStart, speechEnd, silence_ms }) {
  if (input === "push") return { automaticActivityDetection: { disabled: true } };
  const detection = {
    ...(speechStart && { startOfSpeechSensitivity: `START_SENSITIVITY_${speechStart}` }),
    ...(speechEnd && { endOfSpeechSensitivity: `END_SENSITIVITY_${speechEnd}` }),
    ...(silence_ms > 0 && { silenceDurationMs: silence_ms }),
  };
  return Object.keys(detection).length > 0 ? { automaticActivityDetection: detection } : null;
}

/**
 * The first two messages of a session that goes on with a conversation of which only words are left.
 *
 * A model that takes `clientContent` only as initial history must be told so in the setup, and then
 * `turnComplete` ends the history; otherwise it would ask for an answer.
 * @param {{setup: object}} setup
 * @param {Turn[]} turns not empty
 * @param {Model} model
 * @returns {{setup: {setup: object}, history: object}}
 */
export function withHistory({ setup, ...beside }, turns, model) {
  const anew = model.needs_history_config;
  const historyConfig = { initialHistoryInClientContent: true };
  return {
    setup: { ...beside, setup: anew ? { ...setup, historyConfig } : setup },
    history: {
      clientContent: {
        turns: turns.map(({ role, text }) => ({ role, parts: [{ text }] })),
        turnComplete: anew,
      },
    },
  };
}

/**
 * Microphone audio.
 * @param {string} data base64 PCM16
 * @param {number} rate_hz
 */
export function audioMessage(data, rate_hz) {
  return { realtimeInput: { audio: { data, mimeType: `audio/pcm;rate=${rate_hz}` } } };
}

/**
 * A camera or screen frame.
 * @param {string} data base64 JPEG
 */
export function videoMessage(data) {
  return { realtimeInput: { video: { data, mimeType: "image/jpeg" } } };
}

/** The key to talk was pressed: speech begins. For sessions without activity detection. */
export function activityStartMessage() {
  return { realtimeInput: { activityStart: {} } };
}

/** It was released. */
export function activityEndMessage() {
  return { realtimeInput: { activityEnd: {} } };
}

/** The microphone was turned off: the server may end the turn. */
export function audioStreamEndMessage() {
  return { realtimeInput: { audioStreamEnd: true } };
}

/**
 * Typed text. Models that take `clientContent` only as initial history get realtime text instead.
 * @param {string} text
 * @param {Model} model
 */
export function textMessage(text, model) {
  if (model.needs_history_config) return { realtimeInput: { text } };
  return { clientContent: { turns: [{ role: "user", parts: [{ text }] }], turnComplete: true } };
}

/**
 * Answers to tool calls. Each needs the id of its call and a response that isn't empty.
 * @param {{id: string, name: string, response: Record<string, unknown>}[]} functionResponses
 */
export function toolResponseMessage(functionResponses) {
  return { toolResponse: { functionResponses } };
}

/**
 * Tells the gateway that the server messages up to this one have arrived.
 * @param {number} n
 */
export function ackMessage(n) {
  return { livegate: { ack: n } };
}

/**
 * Tells the gateway the number of the next message: those before it were dropped on purpose.
 * @param {number} n
 */
export function nextMessage(n) {
  return { livegate: { next: n } };
}

/**
 * What the person said ends here: the gateway says how long things take.
 * @param {number} n
 */
export function markMessage(n) {
  return { livegate: { mark: n } };
}

/**
 * The first message of a connection that goes on with a session.
 * @param {{setup: object, livegate?: object}} setup as the session began
 * @param {string} token the newest
 * @param {number} ack the number of the last server message that arrived; 0: none
 */
export function resumeMessage(setup, token, ack) {
  return { ...setup, livegate: { ...setup.livegate, token, ack } };
}

/**
 * Reads one server message.
 * @param {string} text
 * @returns {{facts: Fact[], counted: boolean}} the facts in the order to act on them, and
 *   whether the message is one that counts (everything but the gateway's own notices does)
 */
export function parse(text) {
  /** @type {any} */
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return { facts: [{ kind: "malformed" }], counted: true };
  }
  if (typeof message !== "object" || message === null) {
    return { facts: [{ kind: "malformed" }], counted: true };
  }
  if (message.livegate) {
    return { facts: [{ kind: "notice", notice: message.livegate }], counted: false };
  }
  /** @type {Fact[]} */
  const facts = [];
  if (message.setupComplete) {
    facts.push({ kind: "ready", session: message.setupComplete.sessionId ?? "" });
  }
  if (message.serverContent) facts.push(...contentFacts(message.serverContent));
  facts.push(...otherFacts(message));
  return { facts, counted: true };
}

/**
 * @param {any} content a `serverContent`
 * @returns {Fact[]}
 */
function contentFacts(content) {
  /** @type {Fact[]} */
  const facts = [];
  // First: the content in the same message is already the next turn's, and must survive the flush.
  if (content.interrupted) facts.push({ kind: "interrupted" });
  if (content.inputTranscription) facts.push(transcription("heard", content.inputTranscription));
  for (const part of content.modelTurn?.parts ?? []) {
    const fact = partFact(part);
    if (fact) facts.push(fact);
  }
  if (content.outputTranscription) facts.push(transcription("said", content.outputTranscription));
  if (content.generationComplete) facts.push({ kind: "generated" });
  if (content.turnComplete) {
    facts.push({ kind: "turnComplete", reason: content.turnCompleteReason ?? "" });
  }
  return facts;
}

/**
 * @param {any} part
 * @returns {Fact | null}
 */
function partFact(part) {
  const inline = part.inlineData;
  if (inline?.data && inline.mimeType?.startsWith("audio/pcm")) {
    const rate = /rate=(\d+)/.exec(inline.mimeType);
    return { kind: "audio", data: inline.data, rate_hz: rate ? Number(rate[1]) : 24000 };
  }
  if (typeof part.text === "string" && part.text !== "") {
    return { kind: part.thought ? "thought" : "text", text: part.text };
  }
  return null;
}

/**
 * @param {"heard" | "said"} kind
 * @param {any} transcript
 * @returns {Fact}
 */
function transcription(kind, transcript) {
  return { kind, text: transcript.text ?? "", finished: Boolean(transcript.finished) };
}

/**
 * @param {any} message
 * @returns {Fact[]}
 */
function otherFacts(message) {
  /** @type {Fact[]} */
  const facts = [];
  if (message.toolCall) {
    const calls = (message.toolCall.functionCalls ?? []).map(
      (/** @type {any} */ { id = "", name = "", args = {} }) => ({ id, name, args }),
    );
    facts.push({ kind: "toolCall", calls });
  }
  if (message.toolCallCancellation) {
    facts.push({ kind: "toolCallCancelled", ids: message.toolCallCancellation.ids ?? [] });
  }
  if (message.goAway) {
    facts.push({ kind: "goAway", timeLeft_s: seconds(message.goAway.timeLeft) });
  }
  if (message.sessionResumptionUpdate) {
    const { resumable } = message.sessionResumptionUpdate;
    facts.push({ kind: "resumption", resumable: Boolean(resumable) });
  }
  if (message.usageMetadata) facts.push({ kind: "usage", usage: usage(message.usageMetadata) });
  return facts;
}

/**
 * Vertex counts the reply in `candidatesTokenCount`, the Developer API in `responseTokenCount`;
 * int64 may come as a string.
 * @param {any} metadata
 * @returns {Usage}
 */
function usage(metadata) {
  const prompt = Number(metadata.promptTokenCount ?? 0);
  const reply = Number(metadata.responseTokenCount ?? metadata.candidatesTokenCount ?? 0);
  const total = Number(metadata.totalTokenCount ?? prompt + reply);
  return { prompt, reply, total, ...tokensOf(metadata) };
}

/**
 * A protobuf Duration: "50s", "1.5s".
 * @param {unknown} duration
 * @returns {number | null}
 */
function seconds(duration) {
  const match = typeof duration === "string" && /^(\d+(?:\.\d+)?)s$/.exec(duration);
  return match ? Number(match[1]) : null;
}
