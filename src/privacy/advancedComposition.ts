// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";

/** T uses of one (ε, δ)-private mechanism, each on a secret sample that holds every client with probability q. */
export interface RepeatedMechanism {
  readonly epsilon: number;
  readonly delta: number;
  readonly samplingRate: number;
  readonly rounds: number;
  /** δ'', what the composition itself may add. */
  readonly slack: number;
}

/**
 * Amplification by sampling, then advanced composition: ε_q = ln(1 + q(e^ε − 1)), ε_tot = √(2T ln(1/δ''))·ε_q + T·ε_q(e^{ε_q} − 1) and
 * δ_tot = T·q·δ + δ''. Sound for every (ε, δ)-private mechanism, and loose; for Gaussian noise use the accountant (rdp.ts).
 *
 * Source: Dwork, Rothblum & Vadhan 2010, theorem III.3. DSAIN's eq. (7) leaves T·q·δ out, puts qε for ε_q in the first term and e^ε for e^{ε_q}
 * in the second (spec D3).
 */
export function composeAdvanced(mechanism: RepeatedMechanism): { epsilon: number; delta: number } {
  const { epsilon, delta, samplingRate, rounds, slack } = mechanism;
  if (!(epsilon > 0 && delta > 0 && delta < 1 && slack > 0 && slack < 1))
    throw new ConfigError(`Composition needs ε > 0 and δ, δ'' between 0 and 1; got ${epsilon}, ${delta} and ${slack}.`);
  if (!(samplingRate > 0 && samplingRate <= 1))
    throw new ConfigError(`A sampling rate of ${samplingRate} is not in (0, 1].`);
  const amplified = Math.log1p(samplingRate * Math.expm1(epsilon));
  return {
    epsilon: Math.sqrt(2 * rounds * Math.log(1 / slack)) * amplified + rounds * amplified * Math.expm1(amplified),
    delta: rounds * samplingRate * delta + slack,
  };
}
