// @ts-check
/** What a session is in, hears of and asks for: types alone. */

/**
 * @typedef {"idle" | "connecting" | "live" | "away" | "waiting" | "closed"} Phase "away": a lost
 *   connection is being resumed; "waiting": before the next try, of either kind
 *
 * @typedef {Object} State
 * @property {Phase} phase
 * @property {"off" | "asking" | "on"} mic
 * @property {"voice" | "text"} answer how the model's answer is given
 * @property {"open" | "push"} input hands-free, or only while a key is held
 * @property {boolean} held it is
 * @property {boolean} speaking model audio is heard right now
 * @property {boolean} answering between the first content of a model turn and its end
 * @property {boolean} thinking text was sent and nothing has come back yet
 * @property {boolean} resuming the gateway is looking for another worker
 * @property {boolean} moved it has just found one
 * @property {boolean} queued the Live API has no place yet
 * @property {boolean} offline the device has no network
 * @property {boolean} resumable the conversation goes on if the connection is lost
 * @property {number} retryAt_ms when phase "waiting" ends
 * @property {string} reason why it is waiting or closed
 * @property {boolean} failed closed by an error, not by an end
 *
 * @typedef {{type: "start", withMic: boolean, answer: "voice" | "text", input?: "open" | "push", text?: string}
 *   | {type: "stop"}
 *   | {type: "opened"}
 *   | {type: "fact", fact: import("./protocol.js").Fact}
 *   | {type: "closed", code: number, reason: string}
 *   | {type: "timer"}
 *   | {type: "online"} | {type: "offline"} | {type: "held", held: boolean}
 *   | {type: "overfull"}
 *   | {type: "mic", mic: "off" | "asking" | "on"}
 *   | {type: "text", text: string}
 *   | {type: "speaking", speaking: boolean}
 *   | {type: "signedIn"} | {type: "signedOut"} | {type: "notReady", missing: string[]}} Event
 *
 * @typedef {{do: "connect", resume: boolean} | {do: "drop"} | {do: "hangUp"}
 *   | {do: "sendText", text: string} | {do: "endAudioStream"} | {do: "answered"}
 *   | {do: "setTimer", ms: number} | {do: "clearTimer"}
 *   | {do: "openMic"} | {do: "closeMedia"} | {do: "askStatus"} | {do: "askSignIn"}
 *   | ({do: "play"} & import("./protocol.js").AudioData) | {do: "flush"}
 *   | {do: "userSaid", text: string, finished: boolean} | {do: "userTyped", text: string}
 *   | {do: "modelSaid", text: string} | {do: "interrupted"} | {do: "turnComplete"}
 *   | {do: "note", text: string}
 *   | {do: "usage", usage: import("./protocol.js").Usage}} Action
 */

export {};
