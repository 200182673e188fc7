// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import type { SecretWords } from "./secretStream.ts";

/** σ is rounded up to a multiple of 2^-10 grid units. */
const SIGMA_UNIT = 1_024;
/** So that t·k stays below 2^32 for every k that comparisons ever reach: k = 64 has odds of 1 in 64!. */
const MAX_SIGMA = 67_108_864;
/** Words of 32 bits that decide a comparison are drawn one after the other: nearly always one. */
const WORD = 32n;

/**
 * Draws integers k with probability proportional to exp(−k²/(2σ²)), exactly: integers and comparisons with random bits, no float anywhere, so
 * there is nothing in the low bits that floating-point noise would leak. Added to an integer vector of sensitivity S, the release has the Rényi
 * curve α·S²/(2σ²) of continuous noise (theorem 14 there).
 *
 * A discrete Laplace number by rejection, then a second rejection: about 1.5 proposals each.
 *
 * @param sigma grid units, above 0; rounded up to a multiple of 2^-10.
 * @throws ConfigError for σ that is not in (0, 2^26].
 * Source: Canonne, Kamath & Steinke 2020, algorithms 1–3.
 */
export function discreteGaussian(sigma: number, words: SecretWords): () => number {
  if (!(sigma > 0 && sigma <= MAX_SIGMA))
    throw new ConfigError(
      `Noise of ${sigma} grid units is not above 0 and at most 2^26; change the fraction bits or the noise.`,
      { sigma },
    );
  const scaled = BigInt(Math.ceil(sigma * SIGMA_UNIT));
  const unit = BigInt(SIGMA_UNIT);
  const t = Math.floor(sigma) + 1;
  const scaledSq = scaled * scaled;
  const step = BigInt(t) * unit * unit;
  // γ = (|y| − σ²/t)²/(2σ²) with σ = scaled/unit, over the common denominator 2·scaled²·t²·unit².
  const denominator = 2n * scaledSq * BigInt(t) * step;
  return () => {
    for (;;) {
      const y = discreteLaplace(t, words);
      const distance = BigInt(Math.abs(y)) * step - scaledSq;
      if (bernoulliExp(distance * distance, denominator, words)) return y;
    }
  };
}

/** k with probability proportional to exp(−|k|/t). */
function discreteLaplace(t: number, words: SecretWords): number {
  for (;;) {
    const low = words.integerBelow(t);
    if (!bernoulliExpBelowOne(low, t, words)) continue;
    let high = 0;
    while (bernoulliExpBelowOne(1, 1, words)) high++;
    const magnitude = low + t * high;
    const negative = (words.nextUint32() & 1) === 1;
    if (negative && magnitude === 0) continue;
    return negative ? -magnitude : magnitude;
  }
}

/** True with probability exp(−n/m), 0 ≤ n ≤ m: the number of successes of Bernoulli(n/(m·k)), k = 1, 2, …, before the first failure is even. */
function bernoulliExpBelowOne(n: number, m: number, words: SecretWords): boolean {
  for (let k = 1; ; k++) if (!(words.integerBelow(m * k) < n)) return k % 2 === 1;
}

/** True with probability exp(−n/m) for any n, m > 0. */
function bernoulliExp(n: bigint, m: bigint, words: SecretWords): boolean {
  for (let whole = n / m; whole > 0n; whole--) if (!bernoulliExpBelowOne(1, 1, words)) return false;
  const rest = n % m;
  for (let k = 1n; ; k++) if (!bernoulli(rest, m * k, words)) return k % 2n === 1n;
}

/** True with probability n/m, 0 ≤ n < m: random bits against the fraction's binary digits, until they differ. */
function bernoulli(n: bigint, m: bigint, words: SecretWords): boolean {
  for (let rest = n; ; ) {
    rest <<= WORD;
    const digits = Number(rest / m);
    rest %= m;
    const word = words.nextUint32();
    if (word !== digits) return word < digits;
    if (rest === 0n) return false;
  }
}
