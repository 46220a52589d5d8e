// @ts-check
/** What time it is where the person is. */

/** @type {import("./index.js").PageTool} */
export const clock = {
  name: "current_time",
  description: "The date and time where the user is.",
  run() {
    const now = new Date();
    return {
      local: now.toLocaleString("en", { dateStyle: "full", timeStyle: "medium" }),
      time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      utc: now.toISOString(),
    };
  },
};
