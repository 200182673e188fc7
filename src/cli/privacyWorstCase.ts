// SPDX-License-Identifier: Apache-2.0
import { composeRdp, epsilonOf, ORDERS } from "../privacy/rdp.ts";
import { ConfigError } from "../protocol/errors.ts";
import { lossesCurve, updatesCurve, wholeCurve } from "./privacyCurves.ts";
import { type Mechanism, withMoreSteps } from "./privacyMechanism.ts";

/** Members looked at, each with one batch more in a pass. */
const MOST_MEMBERS = 100;
/** Where 2(1 − e^-x) falls below x. */
const TURNING_POINT = 1.59;

/**
 * Of all members with at least as many samples as the mechanism's, the one that spends most at noise multiplier z.
 *
 * Passes through the data make it another than the smallest: one sample more may be one batch more, at a q hardly lower. Within one number
 * of steps the smallest member has the highest q. From a member on, none of those larger spends more once (α−1)·RDP(α) of one step is at
 * most 1.59 at its best order: A(α) − 1 = h is a polynomial in q without negative coefficients from q² up (the likelihood ratio's central
 * moments), so that qh' ≥ 2h and ln(1+h)/q grows with q as long as 2h/(1+h) ≥ ln(1+h), and steps times q fall from one such member to the next.
 *
 * @param lossNoise z of the reported loss, where it is counted.
 * @throws ConfigError where there is so little noise that this says nothing of the largest members.
 */
export function worstCase(mechanism: Mechanism, z: number, lossNoise?: number): Mechanism {
  let worst = mechanism;
  let most = epsilonOf(wholeCurve(mechanism, z, lossNoise), mechanism.delta).epsilon;
  let next = withMoreSteps(mechanism);
  for (let seen = 1; next !== undefined; seen++) {
    const updates = updatesCurve(next, z);
    const whole = lossNoise === undefined ? updates : composeRdp(updates, lossesCurve(next, lossNoise));
    const { epsilon, order } = epsilonOf(whole, next.delta);
    if (epsilon > most) [worst, most] = [next, epsilon];
    const step = (updates.values[ORDERS.indexOf(order)] as number) / (next.rounds * next.steps);
    if ((order - 1) * step <= TURNING_POINT) return worst;
    if (seen === MOST_MEMBERS)
      throw new ConfigError(
        `A member with more samples takes more steps, and with so little noise (z = ${z}) nothing bounds what members with more than ${next.records?.samples} spend; one with ${worst.records?.samples} spends ε = ${most.toPrecision(4)}. Fix the steps with --steps instead of --epochs, or take more noise: a smaller ε.`,
        { noiseMultiplier: z, epsilon: most },
      );
    next = withMoreSteps(next);
  }
  return worst;
}
