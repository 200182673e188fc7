// SPDX-License-Identifier: Apache-2.0

const HALF_PI_HIGH = 1.5707963267341256; // 33 bits of π/2, so that k times it is exact for |k| < 2^20
const HALF_PI_LOW = 6.077100506506192e-11; // π/2 − HALF_PI_HIGH
const LARGEST = 1e5;

/**
 * Sine and cosine with + − × ÷ alone, so that every machine gets the same bits (`Math.sin` is left to the engine): x = k·π/2 + r with |r| ≤ π/4,
 * then Taylor series. Within 1e-14 for |x| ≤ 1e5, which is all that schedules and time embeddings need.
 *
 * @throws RangeError beyond 1e5.
 */
export function sineCosine(x: number): readonly [sine: number, cosine: number] {
  if (!(Math.abs(x) <= LARGEST)) throw new RangeError(`sineCosine takes arguments up to ${LARGEST}; got ${x}.`);
  const k = Math.floor(x / (HALF_PI_HIGH + HALF_PI_LOW) + 0.5);
  const r = x - k * HALF_PI_HIGH - k * HALF_PI_LOW;
  const square = r * r;
  let [sine, cosine] = [0, 0];
  // Horner from the last term, (2n+1)! and (2n)!: 11 terms leave less than 1e-25 at π/4.
  for (let n = 11; n >= 1; n--) {
    sine = (-square / (2 * n * (2 * n + 1))) * (1 + sine);
    cosine = (-square / (2 * n * (2 * n - 1))) * (1 + cosine);
  }
  const [s, c] = [r * (1 + sine), 1 + cosine];
  switch (((k % 4) + 4) % 4) {
    case 0:
      return [s, c];
    case 1:
      return [c, -s];
    case 2:
      return [-s, -c];
    default:
      return [-c, s];
  }
}

/** ½(1 + cos(π·step/steps)): 1 at the first step, towards 0 at the last (Loshchilov & Hutter 2017). */
export function cosineDecay(step: number, steps: number): number {
  return (1 + sineCosine((Math.PI * step) / steps)[1]) / 2;
}
