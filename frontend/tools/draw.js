// @ts-check
/** Draws on a canvas in the page, one shape a call, in a square of 100 by 100. */

export const SIDE = 100;
const SHAPES = ["circle", "rectangle", "line", "text", "clear"];

/** @type {import("./index.js").PageTool} */
export const draw = {
  name: "draw",
  description:
    "Draw one shape on the user's canvas, which is 100 wide and 100 high; (0, 0) is top left. Call it " +
    "several times for a picture. `clear` wipes the canvas.",
  parameters: {
    type: "object",
    properties: {
      shape: { type: "string", enum: SHAPES },
      x: { type: "number", description: "centre, or a line's start" },
      y: { type: "number", description: "centre, or a line's start" },
      width: { type: "number", description: "also a circle's diameter; of a line, to its end" },
      height: { type: "number", description: "of a rectangle or a text; of a line, to its end" },
      color: { type: "string", description: "a CSS colour" },
      text: { type: "string" },
    },
    required: ["shape"],
  },
  scheduling: "SILENT",
  run(args, stage) {
    const canvas = stage.canvas();
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser has no canvas");
    const scale = canvas.width / SIDE;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    return paint(context, args);
  },
};

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Record<string, unknown>} args
 * @returns {Record<string, unknown>}
 * @throws {Error} the shape is none of these
 */
export function paint(context, args) {
  const shape = String(args.shape);
  const x = number(args.x, SIDE / 2);
  const y = number(args.y, SIDE / 2);
  const width = number(args.width, 20);
  const height = number(args.height, shape === "text" ? 8 : 20);
  context.fillStyle = context.strokeStyle = typeof args.color === "string" ? args.color : "#4353c9";
  context.lineWidth = 1.5;
  switch (shape) {
    case "clear":
      context.clearRect(0, 0, SIDE, SIDE);
      return { cleared: true };
    case "circle":
      context.beginPath();
      context.arc(x, y, Math.abs(width) / 2, 0, 2 * Math.PI);
      context.fill();
      break;
    case "rectangle":
      context.fillRect(x - width / 2, y - height / 2, width, height);
      break;
    case "line":
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + width, y + height);
      context.stroke();
      break;
    case "text":
      context.font = `${height}px sans-serif`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(String(args.text ?? ""), x, y);
      break;
    default:
      throw new Error(`shape must be one of ${SHAPES.join(", ")}`);
  }
  return { drawn: shape, x, y };
}

/**
 * @param {unknown} value
 * @param {number} otherwise
 */
function number(value, otherwise) {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}
