// SPDX-License-Identifier: Apache-2.0
import { LearningError } from "../errors.ts";
import type { ParameterTensor } from "../layout.ts";
import type { GradientRequest } from "../model.ts";

/**
 * The names to differentiate, in the order of the layout.
 *
 * @throws LearningError WRONG_SHAPE for a name that the model does not have.
 */
export function trainableNames(
  layout: readonly ParameterTensor[],
  { trainable }: Pick<GradientRequest, "trainable">,
): string[] {
  const names = layout.map(({ name }) => name);
  const unknown = trainable?.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new LearningError("WRONG_SHAPE", `The model has no tensor "${unknown}"; it has ${names.join(", ")}.`, {
      unknown,
    });
  }
  return trainable === undefined ? names : names.filter((name) => trainable.includes(name));
}
