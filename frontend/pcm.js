// @ts-check
/**
 * Sample formats: Float32 in [-1, 1] (Web Audio), PCM16 little-endian (the wire), base64 (JSON).
 *
 * Pure. The float and PCM16 functions also run inside the worklets; the base64 ones need `atob`,
 * which worklets lack.
 */

/**
 * Float samples to PCM16. Samples outside [-1, 1] are clamped, NaN becomes 0.
 * @param {Float32Array} samples
 * @returns {Int16Array}
 */
export function floatToPcm16(samples) {
  const pcm = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    const clamped = Math.max(-1, Math.min(1, samples[i]));
    // Unlike a bare multiplication this maps both ends of the range to both ends of int16.
    pcm[i] = Math.round(clamped < 0 ? clamped * 32768 : clamped * 32767);
  }
  return pcm;
}

/**
 * PCM16 to float samples in [-1, 1].
 * @param {Int16Array} pcm
 * @returns {Float32Array<ArrayBuffer>}
 */
export function pcm16ToFloat(pcm) {
  const samples = new Float32Array(pcm.length);
  for (let i = 0; i < pcm.length; i++) {
    samples[i] = pcm[i] < 0 ? pcm[i] / 32768 : pcm[i] / 32767;
  }
  return samples;
}

/**
 * Bytes to standard base64.
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function toBase64(bytes) {
  let binary = "";
  // In slices, because a spread of a whole camera frame would overflow the call stack.
  for (let i = 0; i < bytes.length; i += 0x2000) {
    binary += String.fromCharCode(...bytes.subarray(i, i + 0x2000));
  }
  return btoa(binary);
}

/**
 * Base64 to bytes. Takes the URL-safe alphabet too: proto3 JSON allows either.
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 * @throws {DOMException} if the text isn't base64
 */
export function fromBase64(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/**
 * PCM16 to the little-endian bytes of the wire, whatever this machine's byte order.
 * @param {Int16Array} pcm
 * @returns {Uint8Array}
 */
export function pcm16ToBytes(pcm) {
  const bytes = new Uint8Array(pcm.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < pcm.length; i++) view.setInt16(i * 2, pcm[i], true);
  return bytes;
}

/**
 * Little-endian bytes of the wire to PCM16. A trailing odd byte is ignored.
 * @param {Uint8Array} bytes
 * @returns {Int16Array}
 */
export function bytesToPcm16(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pcm = new Int16Array(bytes.byteLength >> 1);
  for (let i = 0; i < pcm.length; i++) pcm[i] = view.getInt16(i * 2, true);
  return pcm;
}

/**
 * Root mean square of samples, 0 for none.
 * @param {Float32Array} samples
 * @returns {number} 0 to 1
 */
export function rms(samples) {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i] * samples[i];
  return samples.length ? Math.sqrt(sum / samples.length) : 0;
}
