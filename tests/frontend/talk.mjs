// A session that a test feeds with events, and the events.
import { Session } from "../../frontend/session.js";
import { describe } from "../../frontend/words.js";

const CLOSES = {
  4002: { name: "session_lost", action: "reconnect", text: "The session is gone." },
  4210: { name: "superseded", action: "final", text: "Another connection took this over." },
  4001: { name: "draining", action: "reconnect", text: "The gateway is restarting." },
  4101: { name: "no_slot", action: "wait", text: "All lines are busy." },
  4201: { name: "model_refused", action: "final", text: "This model isn't allowed here." },
};

/** A session and a way to feed it: `feed(...events)` gives the actions of the last one. */
export function begin({ random = 1 } = {}) {
  const session = new Session(CLOSES);
  const clock = { now: 0 };
  const feed = (...events) => {
    let actions = [];
    for (const event of events) actions = session.receive(event, clock.now, random);
    return actions;
  };
  return { session, clock, feed, says: () => describe(session.state) };
}

export const START = { type: "start", withMic: true, answer: "voice" };
export const OPENED = { type: "opened" };
export const fact = (kind, rest = {}) => ({ type: "fact", fact: { kind, ...rest } });
export const READY = fact("ready", { session: "" });
export const closed = (code, reason = "") => ({ type: "closed", code, reason });
export const notice = (content) => fact("notice", { notice: content });
export const TOKEN = notice({ token: "t" });
export const AUDIO = fact("audio", { data: "AA==", rate_hz: 24000 });
export const names = (actions) => actions.map((action) => action.do);

/** Live, at a gateway without tokens: a lost connection is the session's end. */
export function live(options) {
  const setup = begin(options);
  setup.feed(START, OPENED, READY, { type: "mic", mic: "on" });
  return setup;
}

/** Live, and resumable. */
export function held(options) {
  const setup = live(options);
  setup.feed(TOKEN);
  return setup;
}
