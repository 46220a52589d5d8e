// @ts-check
/** What tools and numbers say to a person. */

export const WORDS = {
  states: { running: "running", done: "done", failed: "failed", cancelled: "cancelled" },
  where: { page: "in this page", server: "on the server" },
  args: "Arguments",
  answer: "Answer",
  canvas: "What the model draws",
  /** @param {number} ms */
  took: (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`),
  unknownTool: "This page doesn't have that tool.",

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
  columns: ["", "Tokens", "Cost"],
  directions: { input: "In", output: "Out" },
  total: "Total",
  unknown: "unknown",
  placeholder: "These prices are placeholders, not Google's: the operator sets PRICES_FILE.",

  offered: "Tools for the model",
  later: "From the next conversation on.",
  noServerTools: "The server has no tools.",
};
