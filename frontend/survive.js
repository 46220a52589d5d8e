// @ts-check
/** What happens to the page from outside: network, sleep, background, and its end. */

import { resumeAudio } from "./audio.js";

const LOOK_EVERY_MS = 5000;
/** A timer that is so late was asleep, with the computer or with a frozen tab. */
const ASLEEP_MS = 20_000;

/**
 * Whether the time between two looks means that nothing ran meanwhile. Pure.
 *
 * In a hidden tab browsers let timers run once a minute: that alone is no sleep.
 * @param {number} gap_ms
 * @param {boolean} wasHidden
 */
export function slept(gap_ms, wasHidden) {
  return gap_ms > LOOK_EVERY_MS + ASLEEP_MS + (wasHidden ? 60_000 : 0);
}

/**
 * @param {{online: () => void, offline: () => void, woke: () => void, leave: () => void}} events
 */
export function survive(events) {
  window.addEventListener("online", events.online);
  window.addEventListener("offline", events.offline);
  window.addEventListener("pagehide", events.leave);
  document.addEventListener("resume", events.woke);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) resumeAudio();
  });
  let [last_ms, hidden] = [Date.now(), document.hidden];
  setInterval(() => {
    const now_ms = Date.now();
    if (slept(now_ms - last_ms, hidden)) {
      resumeAudio();
      events.woke();
    }
    [last_ms, hidden] = [now_ms, document.hidden];
  }, LOOK_EVERY_MS);
  if (!navigator.onLine) events.offline();
}
