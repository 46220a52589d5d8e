// @ts-check
/**
 * The page's own tools: what the model may call here, without a server. One module each; a new one
 * is a line here (docs/tools.md).
 */

import { clock } from "./clock.js";
import { draw } from "./draw.js";
import { theme } from "./theme.js";

/**
 * @typedef {Object} Stage what a tool may touch besides its own state
 * @property {() => HTMLCanvasElement} canvas shown once it is asked for
 *
 * @typedef {Object} PageTool
 * @property {string} name letters, digits and underscores
 * @property {string} description for the model
 * @property {object} [parameters] a JSON schema of the arguments
 * @property {"SILENT" | "WHEN_IDLE" | "INTERRUPT"} [scheduling] for models that can go on
 *   meanwhile: what the answer does when it comes; others wait for it
 * @property {(args: Record<string, unknown>, stage: Stage) => unknown} run its answer, or a promise
 */

/** @type {readonly PageTool[]} */
export const PAGE_TOOLS = [clock, draw, theme];
