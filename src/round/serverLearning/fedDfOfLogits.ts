// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../protocol/dataset.ts";
import { type DistillationOptions, learnFrom } from "./fedDf.ts";
import { combineLogits, type Predictor, softmaxRows } from "./predictors.ts";
import type { ServerStrategy } from "./strategy.ts";
import { checkUpdates, difference } from "./vectors.ts";

/**
 * FedDF (spec E20) among members of any architectures. A member sends its logits on the shared unlabelled samples, m × classes, as the difference from
 * those it received; the server takes their mean or median,
 *
 *     Z̄ = combine_k Z_k     minimise KL(softmax(Z̄) ‖ softmax(z_s)) over the student,
 *
 * sends Z̄ to the members, and goes on with its student next round. The received state is Z̄ alone. All members are heard: their models never reach
 * the server, so that it cannot tell on validation data which are worst.
 *
 * @param student the server's architecture, and where it starts.
 * @param unlabelled the m samples, in the members' order.
 * @param validation keeps the best student of a round seen there, the one before the round included.
 */
export function fedDfOfLogits(
  student: Predictor,
  unlabelled: Pick<Dataset, "features" | "size">,
  options: Omit<DistillationOptions, "dropShare">,
  validation?: Dataset,
): ServerStrategy<Float32Array> {
  const { model } = student;
  const { classes } = model.config;
  return {
    initial: student.parameters,
    model: (parameters) => parameters,
    async aggregate(parameters, { parameters: before, updates, random }) {
      checkUpdates(updates, unlabelled.size * classes);
      const said = updates.map(({ delta }) => Float64Array.from(before, (z, j) => z + (delta[j] as number)));
      const logits = combineLogits(said, classes, options.combine);
      const learned = await learnFrom(
        { model, parameters },
        unlabelled,
        Float32Array.from(softmaxRows(logits, classes)),
        options,
        random.derive("distil"),
        validation,
      );
      return {
        state: learned.parameters,
        outcome: {
          delta: difference(logits, before),
          kept: updates.map(() => true),
          diagnostics: { distillationSteps: learned.stepsTaken, divergence: learned.divergence },
        },
      };
    },
  };
}
