// SPDX-License-Identifier: Apache-2.0
import type { ModelLayout } from "../protocol/layout.ts";
import type { ErrorFeedbackConfig } from "../protocol/recipe/codecConfig.ts";

/** What holds where a recipe says nothing. */
export const ERROR_FEEDBACK: ErrorFeedbackConfig = { decay: 1, maxAge: 50 };

/** The residual of a member that has said everything. */
export function emptyResidual(layout: Pick<ModelLayout, "size">): Float64Array {
  return new Float64Array(layout.size);
}

/**
 * A residual as it enters an update some rounds after it came to be: times `decay` for each round, and nothing beyond `maxAge`. After surgery on the
 * model or unlearning, take `emptyResidual` instead: it tells of a model that is gone.
 *
 * @param age the update's round minus the round that the residual is from; 1 for a member that takes part every time.
 */
export function agedResidual(
  residual: Float64Array,
  age: number,
  { decay, maxAge }: ErrorFeedbackConfig = ERROR_FEEDBACK,
): Float64Array {
  if (age > maxAge) return new Float64Array(residual.length);
  if (decay === 1) return residual;
  const factor = decay ** age;
  return residual.map((value) => value * factor);
}

/** p − q. */
export function unsaid(values: Float64Array, decoded: Int32Array): Float64Array {
  const left = new Float64Array(values.length);
  for (let j = 0; j < left.length; j++) left[j] = (values[j] as number) - (decoded[j] as number);
  return left;
}
