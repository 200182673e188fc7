// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import { LearningError } from "../errors.ts";
import { vocabularyOf } from "../layout.ts";
import type { Model } from "../model.ts";
import type { LocalAlgorithm } from "./localAlgorithm.ts";
import { type LocalHooks, runLocalLoop } from "./localLoop.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference, moved, norm } from "./vectors.ts";

/**
 * Training at the worst point near by, to first order (spec B19, Doc0 eq. (17), Doc2 eq. (2)), on the same batch and with the same masks:
 *
 * - `parameters`: sharpness-aware minimisation (Foret et al. 2021), the gradient at w + ρ·∇F/‖∇F‖. A zero gradient stays as it is.
 * - `inputs`: adversarial training by the fast gradient sign method (Goodfellow et al. 2015), the gradient at x + ε·sign(∇_x ℓ), sign(0) = 0, ε in the
 *   units of the inputs as the model gets them; they are not held to any range.
 *
 * The training loss is that of the point itself.
 *
 * @throws ConfigError for `inputs` on tokens, which are names and not quantities.
 */
export function sam(config: ClientConfigOf<"sam">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  const gradient = config.space === "inputs" ? worstInputs(model, config.epsilon) : worstParameters(model, config.rho);
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      const { parameters, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start, { gradient }));
      return { delta: difference(parameters, start), trainLoss, local: task.local };
    },
  };
}

type Gradient = NonNullable<LocalHooks["gradient"]>;

function worstParameters(model: Model, rho: number): Gradient {
  return async ({ parameters, batch, mode }) => {
    const here = await model.valueAndGradient(parameters, batch, {}, mode);
    const length = norm(here.gradient);
    if (length < 1e-12) return here;
    const worst = await model.valueAndGradient(moved(parameters, rho / length, here.gradient), batch, {}, mode);
    return { loss: here.loss, gradient: worst.gradient };
  };
}

function worstInputs(model: Model, epsilon: number): Gradient {
  const { kind } = model.config;
  if (vocabularyOf(model.config) !== undefined)
    throw new ConfigError(
      `SAM in the space of inputs moves them along their gradient, and those of a ${kind} model are token ids, which have none. Take space: parameters.`,
      { kind },
    );
  return async ({ parameters, batch, mode }) => {
    // Nothing is trained in the pass that only looks for the direction.
    const { loss, inputGradient } = await model.valueAndGradient(
      parameters,
      batch,
      { trainable: [], wantInputs: true },
      mode,
    );
    if (inputGradient === undefined)
      throw new LearningError(
        "UNSUPPORTED",
        "The engine gives no gradient with respect to inputs, which SAM in their space needs. Take space: parameters, or another engine.",
        { kind },
      );
    const features = moved(batch.features, epsilon, inputGradient.map(Math.sign));
    const { gradient } = await model.valueAndGradient(parameters, { ...batch, features }, {}, mode);
    return { loss, gradient };
  };
}
