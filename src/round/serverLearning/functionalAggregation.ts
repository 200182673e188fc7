// SPDX-License-Identifier: Apache-2.0
import { LearningError } from "../../learning/errors.ts";
import { log } from "../../protocol/math.ts";
import type { ServerStrategy } from "./strategy.ts";
import { checkUpdates, difference, normalised } from "./vectors.ts";

/** What a member says about the shared unlabelled samples, in place of weights. */
export interface MemberPredictions {
  readonly member: number;
  readonly samples: number;
  /** m × classes, row-major: its predictive probabilities (the mean over its passes). */
  readonly probabilities: ArrayLike<number>;
}

/** Aggregation weights: by sample counts, or by how sure a member is. */
export type FunctionalWeighting = "samples" | "entropy";

export interface FunctionalAggregate {
  /** P̄, m × classes; rows sum to 1 and no entry is below the floor (up to the last renormalisation). */
  readonly probabilities: Float64Array;
  readonly weights: readonly number[];
  /** Mean predictive entropy of each member, in nats. */
  readonly entropies: readonly number[];
}

/** Least probability: keeps logarithms and weights finite. */
const FLOOR = 1e-8;

/**
 * The server's part of aggregation in function space (spec B17): P̄ = Σ λ_i P_i over the shared samples. Architectures may differ; what travels
 * is m·C probabilities.
 *
 *     samples   λ_i ∝ n_i
 *     entropy   λ_i ∝ 1 / mean_x H(P_i(x))
 *
 * Rows are floored at 1e-8 and renormalised, before weighing and after. A liar that claims to be sure gets most of the weight under `entropy`:
 * choose it among members that trust each other.
 *
 * @throws LearningError WRONG_SHAPE for none, different sizes, or an entry that is negative or not finite.
 */
export function aggregatePredictions(
  predictions: readonly MemberPredictions[],
  classes: number,
  weighting: FunctionalWeighting,
): FunctionalAggregate {
  const length = predictions[0]?.probabilities.length ?? 0;
  if (
    length === 0 ||
    length % classes !== 0 ||
    predictions.some(({ probabilities }) => probabilities.length !== length)
  )
    throw new LearningError(
      "WRONG_SHAPE",
      `Predictions of all members have the same rows of ${classes} classes, at least one.`,
      {
        classes,
        lengths: predictions.map(({ probabilities }) => probabilities.length),
      },
    );
  const floored = predictions.map(({ member, probabilities }) => flooredRows(probabilities, classes, member));
  const entropies = floored.map((matrix) => meanEntropy(matrix, classes));
  const weights = normalised(
    weighting === "samples" ? predictions.map(({ samples }) => samples) : entropies.map((entropy) => 1 / entropy),
  );
  const mean = new Float64Array(length);
  for (const [k, matrix] of floored.entries())
    for (let j = 0; j < length; j++) mean[j] = (mean[j] as number) + (weights[k] as number) * (matrix[j] as number);
  return { probabilities: flooredRows(mean, classes), weights, entropies };
}

/**
 * As a strategy for the client algorithm `functional`, whose state is the model's parameters, which nobody sends, and P̄ after them: P̄ becomes
 * the weighted mean of what members predict. Every member is kept.
 *
 * @param parameterCount of the model.
 */
export function functionalAggregation(
  parameterCount: number,
  classes: number,
  weighting: FunctionalWeighting,
): ServerStrategy<undefined> {
  return {
    initial: undefined,
    async aggregate(state, { parameters, updates }) {
      const size = checkUpdates(updates, parameterCount + classes);
      if (parameters.length !== size)
        throw new LearningError(
          "WRONG_SHAPE",
          `The received state has ${parameters.length} values, the updates ${size}.`,
          {
            state: parameters.length,
            updates: size,
          },
        );
      const before = parameters.subarray(parameterCount);
      const predictions = updates.map(({ member, samples, delta }) => ({
        member,
        samples,
        // Through the grid and a codec, a probability of 0 may come back a little below it.
        probabilities: before.map((p, j) => Math.max(0, p + (delta[parameterCount + j] as number))),
      }));
      const { probabilities, weights, entropies } = aggregatePredictions(predictions, classes, weighting);
      const delta = new Float64Array(size);
      delta.set(difference(probabilities, before), parameterCount);
      return { state, outcome: { delta, kept: updates.map(() => true), weights, diagnostics: { entropies } } };
    },
  };
}

function flooredRows(matrix: ArrayLike<number>, classes: number, member?: number): Float64Array {
  const rows = Float64Array.from(matrix, (p) => {
    if (!(p >= 0 && Number.isFinite(p)))
      throw new LearningError("WRONG_SHAPE", `Member ${member} predicts a probability of ${p}.`, {
        member,
        probability: p,
      });
    return Math.max(p, FLOOR);
  });
  for (let start = 0; start < rows.length; start += classes) {
    let sum = 0;
    for (let c = start; c < start + classes; c++) sum += rows[c] as number;
    for (let c = start; c < start + classes; c++) rows[c] = (rows[c] as number) / sum;
  }
  return rows;
}

function meanEntropy(matrix: Float64Array, classes: number): number {
  let sum = 0;
  for (const p of matrix) sum -= p * log(p);
  return (sum * classes) / matrix.length;
}
