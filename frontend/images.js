// @ts-check
/** Pictures that a person pastes or drops: made as small as the API takes, and shown. */

import { toBase64 } from "./pcm.js";
import { frameSize } from "./video.js";

const JPEG_QUALITY = 0.85;

/** @typedef {{base64: string, canvas: HTMLCanvasElement}} Picture */

/**
 * @param {DataTransfer | null} from
 * @returns {File[]} the pictures in it
 */
export function picturesIn(from) {
  return [...(from?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
}

/**
 * @param {File} file
 * @param {number} longSide_px at most
 * @returns {Promise<Picture>}
 * @throws {DOMException} if the browser can't read it
 */
export async function readPicture(file, longSide_px) {
  const image = await createImageBitmap(file);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, frameSize(image.width, image.height, longSide_px));
  const context = canvas.getContext("2d");
  // JPEG knows no transparency: it would become black.
  if (context) context.fillStyle = "#fff";
  context?.fillRect(0, 0, canvas.width, canvas.height);
  context?.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  const blob = await new Promise((/** @type {(blob: Blob | null) => void} */ done) => {
    canvas.toBlob(done, "image/jpeg", JPEG_QUALITY);
  });
  if (!blob) throw new DOMException("no JPEG", "EncodingError");
  return { base64: toBase64(new Uint8Array(await blob.arrayBuffer())), canvas };
}

/**
 * @param {HTMLElement} area where pictures may be dropped
 * @param {(files: File[]) => void} given
 */
export function takePictures(area, given) {
  document.addEventListener("paste", (event) => {
    const files = picturesIn(event.clipboardData);
    if (files.length === 0) return;
    event.preventDefault();
    given(files);
  });
  area.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    area.dataset.dropping = "true";
  });
  area.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) delete area.dataset.dropping;
  });
  area.addEventListener("drop", (event) => {
    delete area.dataset.dropping;
    if (!event.dataTransfer?.types.includes("Files")) return;
    // Without this the browser would leave the page for the file.
    event.preventDefault();
    given(picturesIn(event.dataTransfer));
  });
}
