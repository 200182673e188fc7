// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { filterLimit } from "./byzFed.ts";
import { lossWeights } from "./fedEba.ts";
import { geometricMedianWeights } from "./geometricMedian.ts";
import { distancesTo, median, squaredDistances } from "./gramSpace.ts";
import { sharesOf } from "./integerWeights.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";
import { normalised, softmax } from "./softmax.ts";

export type SpflParameters = Extract<AggregationConfig, { rule: "spfl" }>["parameters"];

/** Nats in a unit of contributions, 2^-20. */
const CONTRIBUTION_UNIT = 1 / 1_048_576;
/** Least τ, in nats, where it follows from the contributions. */
const LEAST_TEMPERATURE = 1e-3;
/** What a contribution that is not positive counts, in nats, where weights are ratios. */
const LEAST_CONTRIBUTION = 1e-12;

/**
 * SPFL's dynamic weights: among the audited updates 𝓕 weigh by what members have contributed before the round,
 *
 *     softmax: λ_i ∝ e^{φ_i/τ}       ratio: λ_i ∝ max(φ_i, 0)       λ ← (1 − κ)·λ + κ·p,  p FedEBA's weights by loss.
 *
 * 𝓕 is ByzFed's filter on distances from the geometric median (`audit`; left out: all). φ: contributions as handed in, the median of the others for
 * members without one; when nobody has one (the first round) weights are n_i. τ = `temperature`, or the standard deviation of φ, at least 10^-3
 * nats: without it φ, being small, give all the same weight. Contributions favour who is already strong, losses (`fair`, κ) who is weak.
 *
 * What has no weight is not kept. The chain's contributions may still be disputed when a round is decided, so the rule is the laboratory's. No
 * bound is claimed. Needs K ≥ 1, with an audit K ≥ 4.
 *
 * Source: the SPFL paper, eqs. 6, 12 and 15, which give three rules without τ; precedence and τ are ours.
 */
export function spfl({ audit, weighting, temperature, fair }: SpflParameters) {
  return (input: RuleInput): WeighedUpdates => {
    const { samples, losses, facts } = input;
    const inside = audit === undefined ? samples.map(() => true) : audited(input, audit);
    const members = inside.flatMap((isInside, i) => (isInside ? [i] : []));
    const of = <T>(values: readonly T[]): T[] => members.map((i) => values[i] as T);
    const earned = contributionWeights(of(facts.contributions ?? []), of(samples), weighting, temperature);
    const needy = fair === undefined ? undefined : lossWeights(of(losses), of(samples), fair);
    const kappa = fair?.kappa ?? 0;
    const weights = new Float64Array(samples.length);
    for (const [at, i] of members.entries())
      weights[i] = (1 - kappa) * (earned[at] as number) + kappa * (needy?.[at] ?? 0);
    const shares = sharesOf(weights);
    return { kind: "weights", kept: shares.map((share) => share > 0n), shares };
  };
}

function audited({ gram }: RuleInput, audit: NonNullable<SpflParameters["audit"]>): boolean[] {
  const squared = squaredDistances(gram);
  const distances = distancesTo(squared, geometricMedianWeights(squared));
  const limit = filterLimit(distances, audit);
  return Array.from(distances, (distance) => distance <= limit);
}

function contributionWeights(
  contributions: readonly (number | undefined)[],
  samples: readonly number[],
  weighting: SpflParameters["weighting"],
  temperature: number | undefined,
): Float64Array {
  const known = contributions.filter((one) => one !== undefined);
  if (known.length === 0) return normalised(Float64Array.from(samples));
  const middle = median(Float64Array.from(known));
  const phi = Float64Array.from(contributions, (one) => (one ?? middle) * CONTRIBUTION_UNIT);
  if (weighting === "ratio") return normalised(phi.map((one) => (one > 0 ? one : 0) + LEAST_CONTRIBUTION));
  return softmax(phi, temperature ?? Math.max(standardDeviation(phi), LEAST_TEMPERATURE));
}

function standardDeviation(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) * (value - mean);
  return Math.sqrt(squares / values.length);
}
