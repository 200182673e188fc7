// SPDX-License-Identifier: Apache-2.0
import { normalCdf } from "../numerics/erfc.ts";
import { ConfigError } from "../protocol/errors.ts";
import { LARGEST, smallestWith } from "./bisection.ts";

/** The Gaussian mechanism: how far one neighbour moves the released vector, and what is tolerated. */
export interface GaussianTarget {
  readonly epsilon: number;
  readonly delta: number;
  /** S, the L2 sensitivity: C for add-remove in a sum, 2C for replace-one and for the release of a single vector. */
  readonly sensitivity: number;
}

/** Above it the classical formula is not proven. */
const CLASSICAL_EPSILON = 1;

/**
 * σ = S·√(2 ln(1.25/δ))/ε, for comparison only: proven for ε < 1, loose there, and false from ε ≈ 8.42 up at δ = 1e-5 (spec D2).
 *
 * @throws ConfigError for ε ≥ 1, where it promises what it does not keep: use `gaussianSigma`.
 * Source: Dwork & Roth 2014, theorem 3.22.
 */
export function classicalGaussianSigma({ epsilon, delta, sensitivity }: GaussianTarget): number {
  requireTarget(epsilon, delta, sensitivity);
  if (epsilon >= CLASSICAL_EPSILON) {
    throw new ConfigError(
      `The classical formula for Gaussian noise is proven for ε < 1 and was asked for ε = ${epsilon}; use the exact calibration.`,
      { epsilon },
    );
  }
  return (sensitivity * Math.sqrt(2 * Math.log(1.25 / delta))) / epsilon;
}

/**
 * The smallest δ for which noise of standard deviation σ is (ε, δ)-private: Φ(S/(2σ) − εσ/S) − e^ε·Φ(−S/(2σ) − εσ/S).
 *
 * Source: Balle & Wang 2018, theorem 8.
 */
export function gaussianDelta(sigma: number, epsilon: number, sensitivity: number): number {
  const a = sensitivity / (2 * sigma);
  const b = (epsilon * sigma) / sensitivity;
  const tail = normalCdf(-a - b);
  // e^ε overflows where the tail underflows; the product goes to 0 before either does.
  const second = tail === 0 ? 0 : Math.exp(epsilon + Math.log(tail));
  return Math.max(0, normalCdf(a - b) - second);
}

/**
 * The smallest σ that is (ε, δ)-private, by bisection to 12 digits: the exact ("analytic") calibration of Balle & Wang 2018.
 *
 * @throws ConfigError where it is more than 10^12 sensitivities.
 */
export function gaussianSigma({ epsilon, delta, sensitivity }: GaussianTarget): number {
  requireTarget(epsilon, delta, sensitivity);
  const within = (multiplier: number): boolean => gaussianDelta(multiplier, epsilon, 1) <= delta;
  return (
    sensitivity *
    smallestWith(
      within,
      () =>
        new ConfigError(
          `Not even noise of ${LARGEST} sensitivities keeps ε = ${epsilon} at δ = ${delta}; ask for a larger ε or δ.`,
          { epsilon, delta },
        ),
    )
  );
}

/**
 * The smallest ε for which one release with noise σ is (ε, δ)-private; exact, where the accountant of moments is an upper bound.
 *
 * @throws ConfigError where it is above 10^12.
 */
export function gaussianEpsilon(sigma: number, delta: number, sensitivity: number): number {
  requireTarget(1, delta, sensitivity);
  if (gaussianDelta(sigma, 0, sensitivity) <= delta) return 0;
  return smallestWith(
    (epsilon) => gaussianDelta(sigma, epsilon, sensitivity) <= delta,
    () =>
      new ConfigError(
        `Noise of σ = ${sigma} keeps no ε up to ${LARGEST} at δ = ${delta} and sensitivity ${sensitivity}; take a larger σ.`,
        { sigma, delta, sensitivity },
      ),
  );
}

function requireTarget(epsilon: number, delta: number, sensitivity: number): void {
  if (!(epsilon > 0 && epsilon < Number.POSITIVE_INFINITY))
    throw new ConfigError(`ε is ${epsilon}; it is positive and finite.`);
  if (!(delta > 0 && delta < 1)) throw new ConfigError(`δ is ${delta}; it lies between 0 and 1.`);
  if (!(sensitivity > 0 && sensitivity < Number.POSITIVE_INFINITY))
    throw new ConfigError(`The sensitivity is ${sensitivity}; it is positive and finite.`);
}
