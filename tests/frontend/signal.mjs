// Signals and measures that several audio tests need.

/** A sine of `hz` at `rate`, `length` samples. */
export function sine(hz, rate, length, amplitude = 0.5) {
  return Float32Array.from(
    { length },
    (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rate),
  );
}

/** The amplitude of the component at `hz` (one bin of a windowed Fourier transform). */
export function amplitudeAt(hz, rate, samples) {
  let re = 0;
  let im = 0;
  let weight = 0;
  for (let i = 0; i < samples.length; i++) {
    const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / samples.length);
    re += window * samples[i] * Math.cos((2 * Math.PI * hz * i) / rate);
    im += window * samples[i] * Math.sin((2 * Math.PI * hz * i) / rate);
    weight += window;
  }
  return (2 * Math.hypot(re, im)) / weight;
}

/** What is left after the sine at `hz` is taken out, as amplitude. */
export function residue(hz, rate, samples) {
  const total = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
  return Math.sqrt(Math.max(0, 2 * total - amplitudeAt(hz, rate, samples) ** 2));
}

/** Cuts `samples` into pieces whose lengths `next()` gives. */
export function* pieces(samples, next) {
  for (let from = 0; from < samples.length; ) {
    const length = next();
    yield samples.subarray(from, from + length);
    from += length;
  }
}

/** Repeatable random numbers, 0 to 1 (mulberry32). */
export function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
