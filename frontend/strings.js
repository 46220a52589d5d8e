// @ts-check
/**
 * Everything that the page says, in English: the one file to translate (docs/web-app.md). `S` is
 * what its scripts say, `PAGE` what `index.html` says.
 */

/** @type {Record<"microphone" | "camera" | "screen" | "sound", string>} */
const DEVICES = { microphone: "microphone", camera: "camera", screen: "screen", sound: "sound" };

const TYPE_MEANWHILE = "Meanwhile you can type.";
const SITE_SETTINGS = "the site settings (the icon beside the address)";

/** @param {string} word */
const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

export const S = {
  /** BCP 47; also for numbers. */
  lang: "en",
  dir: "ltr",

  // The state line.
  lookingForGateway: "Looking for the gateway…",
  notConnected: "Not connected",
  connecting: "Connecting…",
  queued: "Waiting for a free place…",
  resuming: "Resuming…",
  reconnecting: "Reconnecting…",
  offline: "Offline: no network. It goes on when there is one again.",
  speaking: "Speaking",
  answering: "Answering…",
  thinking: "Thinking…",
  moved: "Moved to another server",
  listening: "Listening",
  notHeld: "Hold to talk",
  askingMicrophone: "Waiting for the microphone…",
  microphoneOff: "Microphone off",
  /** @param {string} reason */
  closed: (reason) => `Closed: ${reason}`,
  /** @param {number} s */
  seconds: (s) => `${s} s`,

  // How a conversation goes on, or ends.
  ended: "The conversation has ended.",
  gaveUp: "Gave up.",
  overfull: "Too much is waiting to be confirmed by the gateway. The conversation has ended.",
  anew: "Connected again, in a new session: of what was said the model has only the transcript.",
  cut: "Connected again. Something that the model said may be missing.",
  signedOut: "You are not signed in any more. Sign in to talk.",
  signInExpired: "Your sign-in has expired. Sign in again to keep this conversation.",
  signInToTalk: "Sign in to talk",
  /** @param {string[]} missing */
  notLetIn: (missing) => `You are not let in: ${missing.join("; ")}.`,
  /** @param {number} left_s */
  goAway: (left_s) => `The server will end this session in ${left_s} s.`,
  /** @param {string[]} missing */
  notReady: (missing) => `The gateway isn't ready: ${missing.join("; ")}.`,
  unreached: "The gateway can't be reached.",
  /** @param {string} host */
  unreachedAt: (host) => `The gateway at ${host} can't be reached.`,
  tryingAgain: "Trying again…",
  /** @param {number} s */
  tryAgainInSeconds: (s) => `Try again in ${s} s.`,
  /** @param {number} minutes */
  tryAgainInMinutes: (minutes) => `Try again in ${minutes} min.`,
  /** @param {number} hours */
  tryAgainInHours: (hours) => `Try again in ${hours} h.`,
  closedByGateway: "The gateway closed the connection.",
  /** By close code of the WebSocket protocol. */
  closes: {
    1001: "The gateway is restarting.",
    1006: "The connection was lost.",
    1007: "The model refused the request.",
    1008: "The model refused the session.",
    1009: "A message was too large.",
    1011: "The model's server had a problem.",
    1012: "The gateway is restarting.",
    1013: "The gateway is busy.",
  },
  /** By close code, instead of the gateway's own words. @type {Record<string, string>} */
  gatewayCloses: {},

  // Devices.
  needsHttps:
    "Here you can only type: browsers allow sound, microphone, camera and screen only over https or " +
    "on localhost. Open this page at an https address to talk.",
  /** @param {keyof typeof DEVICES} device */
  notAllowed: (device) =>
    `The browser doesn't let this page use the ${DEVICES[device]}. ` +
    `Allow it in ${SITE_SETTINGS}, then try again. ${TYPE_MEANWHILE}`,
  /** @param {keyof typeof DEVICES} device */
  notFound: (device) => `No ${DEVICES[device]} was found. Connect one and try again. ${TYPE_MEANWHILE}`,
  /** @param {keyof typeof DEVICES} device */
  inUse: (device) =>
    `${device === "sound" ? capital(DEVICES.sound) : `The ${DEVICES[device]}`} is in use by another ` +
    "program, or the system blocks it. Free it and try again.",
  /** @param {keyof typeof DEVICES} device @param {string} error the browser's name for it, or "" */
  notStarted: (device, error) =>
    `${device === "sound" ? capital(DEVICES.sound) : `The ${DEVICES[device]}`} couldn't be ` +
    `started${error ? ` (${error})` : ""}.`,
  /** @param {keyof typeof DEVICES} device */
  takenBack: (device) =>
    `The permission for the ${DEVICES[device]} was taken back. Allow it in ${SITE_SETTINGS} and ` +
    `switch it on again. ${TYPE_MEANWHILE}`,
  /** @param {keyof typeof DEVICES} device */
  disconnected: (device) =>
    `The ${DEVICES[device]} was disconnected. Connect it, or choose another under Settings, and ` +
    `switch it on again. ${TYPE_MEANWHILE}`,
  systemDefault: "System default",
  notThereNow: "Not connected now",
  chosenBefore: "As chosen before",
  kinds: { mic: "Microphone", speaker: "Speaker", camera: "Camera" },
  yourScreen: "Your screen",
  yourCamera: "Your camera",

  // Buttons and the text box.
  start: "Start talking",
  startAgain: "Start again",
  end: "End",
  typeInstead: "Or type a message",
  type: "Type a message",

  // Settings.
  upstreams: { simulator: "Simulator", vertex: "Vertex AI", developer: "Gemini API" },
  automatic: "Automatic",
  linkCopied: "Copied. The link holds these settings and nothing secret.",
  linkUsed: "The settings that came with this link are in use. Look at them under Settings.",
  settingsReset: "The defaults are back.",
  onlySpeaks: "This model only speaks. Its words are shown and its voice stays silent.",
  answersInText: "answers in text",
  /** @param {string} day */
  retired: (day) => `Google retired this model on ${day}.`,
  /** @param {string} day */
  retires: (day) => `Google retires this model on ${day}.`,

  // The conversation.
  you: "You",
  model: "Model",
  note: "Note",
  interrupted: "interrupted",
  picture: "A picture for the model",
  noPicture: "This file is no picture that the browser can read.",
  modelTakesNoPictures: "This model takes no pictures.",
  copied: "Copied",
  copyFailed: "The browser doesn't let this page use the clipboard.",
  nothingFound: "Nothing",
  /** @param {number} at @param {number} of */
  found: (at, of) => `${at} of ${of}`,

  // Tools.
  toolStates: { running: "running", done: "done", failed: "failed", cancelled: "cancelled" },
  toolWhere: { page: "in this page", server: "on the server" },
  toolArgs: "Arguments",
  toolAnswer: "Answer",
  canvas: "What the model draws",
  /** @param {number} ms */
  took: (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`),
  unknownTool: "This page doesn't have that tool.",
  toolsOffered: "Tools for the model",
  toolsLater: "From the next conversation on.",

  // Numbers.
  latency: "Latency of the last turn",
  noTurn: "Say something, and it stands here where the time goes.",
  hops: {
    capture_ms: "Microphone → page",
    edge_ms: "Page → edge",
    worker_ms: "Edge → worker",
    model_ms: "Live API, to its first answer",
    back_ms: "Worker → page",
    speaker_ms: "Page → speaker",
    total_ms: "You stop → you hear",
  },
  typedTotal: "You send → it answers",
  between: "Between services: half of the way there and back.",
  usage: "Tokens of this conversation",
  noUsage: "Nothing yet.",
  usageColumns: ["", "Tokens", "Cost"],
  directions: { input: "In", output: "Out" },
  /** By the Live API's name. @type {Record<string, string>} */
  modalities: { TEXT: "text", AUDIO: "audio", IMAGE: "image", VIDEO: "video", DOCUMENT: "document" },
  total: "Total",
  unknown: "unknown",
  placeholderPrices: "These prices are placeholders, not Google's: the operator sets PRICES_FILE.",
  /** @param {string} count */
  tokens: (count) => `${count} tokens`,
};

/**
 * What `index.html` says, so that nobody waits for it, and what the page says in its place.
 * @type {Record<string, string>}
 */
export const PAGE = {
  "Sign in": "Sign in",
  "Sign out": "Sign out",
  "Find in the conversation": "Find in the conversation",
  Find: "Find",
  "Copy or save the conversation": "Copy or save the conversation",
  "Copy or save": "Copy or save",
  Numbers: "Numbers",
  Settings: "Settings",
  "Copy the text": "Copy the text",
  "Save as text": "Save as text",
  "Save as JSON": "Save as JSON",
  "Save the sound (WAV)": "Save the sound (WAV)",
  "The one before": "The one before",
  "The next one": "The next one",
  Close: "Close",
  "What the model sees": "What the model sees",
  Preview: "Preview",
  "Switch between front and back camera": "Switch between front and back camera",
  "Other camera": "Other camera",
  "What’s on your mind?": "What’s on your mind?",
  "Speak, show your camera or screen, or type. Interrupt whenever you like.": "Speak, show your camera or screen, or type. Interrupt whenever you like.",
  Transcript: "Transcript",
  Tools: "Tools",
  Controls: "Controls",
  Latest: "Latest",
  Dismiss: "Dismiss",
  You: "You",
  "Loading…": "Loading…",
  Model: "Model",
  "Hold to talk": "Hold to talk",
  "Microphone, camera and screen": "Microphone, camera and screen",
  Mic: "Mic",
  Microphone: "Microphone",
  Camera: "Camera",
  "Share screen": "Share screen",
  Screen: "Screen",
  "Start talking": "Start talking",
  Message: "Message",
  "Or type a message": "Or type a message",
  Send: "Send",
  "Settings:": "Settings:",
  "Tokens that the last turn was billed for, and in this session so far": "Tokens that the last turn was billed for, and in this session so far",
  "Close settings": "Close settings",
  "A conversation is going on. Changes apply to the next one.": "A conversation is going on. Changes apply to the next one.",
  Answers: "Answers",
  "By voice": "By voice",
  "In text": "In text",
  Voice: "Voice",
  Language: "Language",
  "System instruction": "System instruction",
  "For example: You are a patient tutor. Answer in one or two sentences.": "For example: You are a patient tutor. Answer in one or two sentences.",
  "Who the model is and how it should answer. Remembered in this browser.": "Who the model is and how it should answer. Remembered in this browser.",
  Talking: "Talking",
  "How to talk": "How to talk",
  "Hands-free": "Hands-free",
  "Push to talk": "Push to talk",
  "Hold the button or the space bar while you speak.": "Hold the button or the space bar while you speak.",
  "Notices speech": "Notices speech",
  Normally: "Normally",
  Easily: "Easily",
  "Only clearly": "Only clearly",
  "Ends my turn": "Ends my turn",
  Quickly: "Quickly",
  Patiently: "Patiently",
  "A pause that ends my turn": "A pause that ends my turn",
  "As the model decides": "As the model decides",
  "0.3 s": "0.3 s",
  "0.5 s": "0.5 s",
  "0.8 s": "0.8 s",
  "1.2 s": "1.2 s",
  "2 s": "2 s",
  "Echo cancellation": "Echo cancellation",
  "Off only with headphones": "Off only with headphones",
  "Noise suppression": "Noise suppression",
  "Automatic gain": "Automatic gain",
  "Microphone, speaker, camera": "Microphone, speaker, camera",
  "System default": "System default",
  Speaker: "Speaker",
  Pictures: "Pictures",
  "Every second": "Every second",
  "Every 2 s": "Every 2 s",
  "Every 5 s": "Every 5 s",
  Quality: "Quality",
  High: "High",
  Medium: "Medium",
  Low: "Low",
  "More of the model": "More of the model",
  Temperature: "Temperature",
  "The model’s own": "The model’s own",
  "Google Search": "Google Search",
  "Looks things up before it answers": "Looks things up before it answers",
  Proactive: "Proactive",
  "May stay silent when it isn’t spoken to": "May stay silent when it isn’t spoken to",
  Affective: "Affective",
  "Follows the tone of your voice": "Follows the tone of your voice",
  Transcription: "Transcription",
  "Shows what both sides say": "Shows what both sides say",
  "Forget the oldest": "Forget the oldest",
  "When the context is full": "When the context is full",
  "After 16,000 tokens": "After 16,000 tokens",
  "After 32,000 tokens": "After 32,000 tokens",
  "After 64,000 tokens": "After 64,000 tokens",
  "This page": "This page",
  Colours: "Colours",
  Automatic: "Automatic",
  Light: "Light",
  Dark: "Dark",
  "Keep the sound": "Keep the sound",
  "To save it: the last 20 minutes, in this page’s memory": "To save it: the last 20 minutes, in this page’s memory",
  "Copy a link to these settings": "Copy a link to these settings",
  "Start over": "Start over",
};
