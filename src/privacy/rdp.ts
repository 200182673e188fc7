// SPDX-License-Identifier: Apache-2.0
import { logFactorial } from "../numerics/logGamma.ts";
import { ConfigError } from "../protocol/errors.ts";
import { smallestWith } from "./bisection.ts";
import { type NeighbourRelation, requireSameRelation } from "./neighbours.ts";

/** α: integers 2 … 256; fractional orders gain below 3 % (spec D4). */
export const ORDERS: readonly number[] = Array.from({ length: 255 }, (_, i) => i + 2);

/**
 * Rényi differential privacy at every order, in nats. The relation is part of the type, so curves of both relations cannot be added by mistake;
 * the check at run time is for those who read theirs from a file.
 */
export interface RdpCurve<R extends NeighbourRelation> {
  readonly relation: R;
  /** One per order. */
  readonly values: readonly number[];
}

/** A guarantee, and the order that gave it. */
export interface Epsilon<R extends NeighbourRelation> {
  readonly epsilon: number;
  readonly delta: number;
  readonly order: number;
  readonly relation: R;
}

/**
 * One release of a sum with Gaussian noise σ = zC, where every client is in the sample with probability q, secretly and by itself (Poisson).
 * Neighbours: add-remove, sensitivity C.
 *
 * RDP(α) = ln A(α)/(α−1), A(α) = Σ_k C(α,k)(1−q)^{α−k}q^k·exp((k²−k)/(2z²)), by log-sum-exp; α/(2z²) for q = 1.
 *
 * @param noiseMultiplier z = σ/C; 0 is no privacy at all.
 * Source: Mironov, Talwar & Zhang 2019, §3.3.
 */
export function poissonGaussian(samplingRate: number, noiseMultiplier: number): RdpCurve<"add-remove"> {
  requireMechanism(samplingRate, noiseMultiplier);
  return {
    relation: "add-remove",
    values: ORDERS.map((order) => {
      if (samplingRate === 0) return 0;
      if (noiseMultiplier === 0) return Number.POSITIVE_INFINITY;
      if (samplingRate === 1) return order / (2 * noiseMultiplier * noiseMultiplier);
      const terms = Array.from(
        { length: order + 1 },
        (_, k) =>
          logBinomial(order, k) +
          (order - k) * Math.log1p(-samplingRate) +
          k * Math.log(samplingRate) +
          (k * k - k) / (2 * noiseMultiplier * noiseMultiplier),
      );
      // A ≥ 1 in exact arithmetic.
      return Math.max(0, logSumExp(terms)) / (order - 1);
    }),
  };
}

/**
 * One release of a sum with Gaussian noise over a sample of fixed size, drawn secretly without replacement, or of a single vector or of all
 * clients (q = 1). Neighbours: replace-one, sensitivity 2C, so the multiplier here is z' = σ/(2C).
 *
 * A(α) ≤ 1 + q²C(α,2)·min{4(e^{ε(2)} − 1), 2e^{ε(2)}} + Σ_{j≥3} 2q^jC(α,j)e^{(j−1)ε(j)} with ε(j) = j/(2z'²), and never above α/(2z'²).
 *
 * @param samplingRate q = K/N.
 * @param noiseMultiplier z' = σ/(2C).
 * Source: Wang, Balle & Kasiviswanathan 2019, theorem 9.
 */
export function fixedSizeGaussian(samplingRate: number, noiseMultiplier: number): RdpCurve<"replace-one"> {
  requireMechanism(samplingRate, noiseMultiplier);
  return {
    relation: "replace-one",
    values: ORDERS.map((order) => {
      if (samplingRate === 0) return 0;
      if (noiseMultiplier === 0) return Number.POSITIVE_INFINITY;
      const variance = noiseMultiplier * noiseMultiplier;
      const whole = order / (2 * variance);
      if (samplingRate === 1) return whole;
      const logRate = Math.log(samplingRate);
      const second = 1 / variance;
      const terms = [
        0,
        2 * logRate + logBinomial(order, 2) + Math.min(Math.log(4) + logExpm1(second), Math.LN2 + second),
      ];
      for (let j = 3; j <= order; j++)
        terms.push(Math.LN2 + j * logRate + logBinomial(order, j) + ((j - 1) * j) / (2 * variance));
      return Math.min(logSumExp(terms) / (order - 1), whole);
    }),
  };
}

/** The sum over releases, each with its own parameters. @throws ConfigError when relations are mixed. */
export function composeRdp<R extends NeighbourRelation>(
  first: RdpCurve<R>,
  ...others: readonly RdpCurve<NoInfer<R>>[]
): RdpCurve<R> {
  for (const { relation } of others) requireSameRelation(first.relation, relation);
  return {
    relation: first.relation,
    values: first.values.map((value, i) => others.reduce((sum, { values }) => sum + (values[i] as number), value)),
  };
}

/** The same release T times. */
export function repeatRdp<R extends NeighbourRelation>({ relation, values }: RdpCurve<R>, rounds: number): RdpCurve<R> {
  // 0·∞ would be NaN: nothing released is nothing lost.
  return { relation, values: values.map((value) => (rounds === 0 ? 0 : value * rounds)) };
}

/** What a curve turns into: "tight" is ε = RDP + ln(1−1/α) − (ln δ + ln α)/(α−1); "classic" RDP + ln(1/δ)/(α−1), as early papers report. */
export type Conversion = "tight" | "classic";

/**
 * What the conversion costs at the best order before anything is released, and so what ε stays above however much noise there is:
 * min over α of ln(1−1/α) − (ln δ + ln α)/(α−1), never below 0. The orders end at 256; .0195 at δ = 1e-5.
 */
export function leastEpsilon(delta: number): number {
  requireDelta(delta);
  return ORDERS.reduce((least, order) => Math.min(least, Math.max(0, tightCost(order, delta))), Infinity);
}

/**
 * The smallest ε over the orders, never below 0.
 *
 * Source: Canonne, Kamath & Steinke 2020, proposition 12 (tight); Mironov 2017, proposition 3 (classic).
 */
export function epsilonOf<R extends NeighbourRelation>(
  { relation, values }: RdpCurve<R>,
  delta: number,
  conversion: Conversion = "tight",
): Epsilon<R> {
  requireDelta(delta);
  // Nothing was released; the orders end at 256, and the conversion alone would leave something.
  if (values.every((value) => value === 0)) return { epsilon: 0, delta, order: ORDERS.at(-1) as number, relation };
  let best: Epsilon<R> = { epsilon: Number.POSITIVE_INFINITY, delta, order: ORDERS[0] as number, relation };
  for (const [i, order] of ORDERS.entries()) {
    const cost = conversion === "tight" ? tightCost(order, delta) : -Math.log(delta) / (order - 1);
    const epsilon = (values[i] as number) + cost;
    if (epsilon < best.epsilon) best = { epsilon, delta, order, relation };
  }
  return { ...best, epsilon: Math.max(0, best.epsilon) };
}

/**
 * The smallest noise multiplier with which T rounds stay within ε, by bisection.
 *
 * @param curve of one round, as a function of the multiplier: `(z) => poissonGaussian(q, z)`.
 * @throws ConfigError for an ε that no noise reaches (see {@link leastEpsilon}), with what to ask for instead.
 */
export function noiseMultiplierFor<R extends NeighbourRelation>(
  curve: (noiseMultiplier: number) => RdpCurve<R>,
  target: { readonly epsilon: number; readonly delta: number; readonly rounds: number },
): number {
  const { epsilon, delta, rounds } = target;
  if (!(epsilon > 0)) throw new ConfigError(`ε is ${epsilon}; it is positive.`);
  return smallestWith(
    (z) => epsilonOf(repeatRdp(curve(z), rounds), delta).epsilon <= epsilon,
    () => {
      const floor = leastEpsilon(delta);
      return new ConfigError(
        `No noise keeps ε = ${epsilon} at δ = ${delta}: with Rényi orders up to ${ORDERS.at(-1)}, as ledgers count them, ε stays above ${floor.toPrecision(4)} at this δ. Ask for an ε clearly above that, or for a larger δ.`,
        { epsilon, delta, floor },
      );
    },
  );
}

/** What is added to the RDP of order α to make it ε (Canonne, Kamath & Steinke 2020). */
function tightCost(order: number, delta: number): number {
  return Math.log1p(-1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1);
}

function requireDelta(delta: number): void {
  if (!(delta > 0 && delta < 1)) throw new ConfigError(`δ is ${delta}; it lies between 0 and 1.`);
}

function requireMechanism(samplingRate: number, noiseMultiplier: number): void {
  if (!(samplingRate >= 0 && samplingRate <= 1))
    throw new ConfigError(`A sampling rate of ${samplingRate} is not in [0, 1].`);
  if (!(noiseMultiplier >= 0 && noiseMultiplier < Number.POSITIVE_INFINITY))
    throw new ConfigError(`A noise multiplier of ${noiseMultiplier} is not a finite number from 0.`);
}

/** ln n! for every n that an order needs. */
const LOG_FACTORIALS = Float64Array.from({ length: 257 }, (_, n) => logFactorial(n));

function logBinomial(n: number, k: number): number {
  return (LOG_FACTORIALS[n] as number) - (LOG_FACTORIALS[k] as number) - (LOG_FACTORIALS[n - k] as number);
}

/** ln(e^x − 1) for x > 0. */
function logExpm1(x: number): number {
  return x > 30 ? x : Math.log(Math.expm1(x));
}

function logSumExp(terms: readonly number[]): number {
  const largest = terms.reduce((most, term) => Math.max(most, term), Number.NEGATIVE_INFINITY);
  // The largest apart: what is left is small where it matters, for A barely above 1.
  let rest = 0;
  let seen = false;
  for (const term of terms) {
    if (term === largest && !seen) seen = true;
    else rest += Math.exp(term - largest);
  }
  return largest + Math.log1p(rest);
}
