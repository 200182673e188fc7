// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../../protocol/random.ts";
import { type ClientConfigOf, clientSchema } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import { LearningError } from "../errors.ts";
import type { Batch, Mode, Model } from "../model.ts";
import { type GradientAt, gradientNorm } from "./differenceQuotient.ts";
import type { LocalAlgorithm, LocalTask } from "./localAlgorithm.ts";
import { type LocalHooks, runLocalLoop } from "./localLoop.ts";
import { msdflHooks } from "./msdfl.ts";
import { tierOf } from "./resourceTier.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { addScaled, difference } from "./vectors.ts";

/**
 * HMSDFL (Doc2 Alg. 2; spec B10): λ·(1/B)Σ‖J^α‖_F² beside the loss, J^α the Jacobian of a sample's logits with respect to the parameters. Each of
 * m random projections costs three gradients. With `tiers` a member does what its resource allows (B10.2).
 *
 * @remarks The estimator's factor C is that of eq. (18), which eq. (19) forgets; the published code's λ is twice ours.
 */
export function hmsdfl(config: ClientConfigOf<"hmsdfl">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      const hooks = hooksFor(config, model, task);
      const { parameters, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start, hooks));
      return { delta: difference(parameters, start), trainLoss, local: task.local };
    },
  };
}

function hooksFor(config: ClientConfigOf<"hmsdfl">, model: Model, { resource }: LocalTask): LocalHooks | undefined {
  const { tiers, weight, projections, epsilon, msdflWeight } = config;
  if (tiers === undefined) return weight > 0 ? hmsdflHooks(model, { weight, projections, epsilon }) : undefined;
  if (resource === undefined)
    throw new LearningError(
      "UNSUPPORTED",
      "The recipe's HMSDFL has tiers, and this member does not say what its machine can do: set its resource.",
    );
  const tier = tierOf(resource, model.config.classes, tiers);
  if (tier.method === "standard") return undefined;
  if (tier.method === "msdfl") {
    const msdfl = clientSchema.parse({ name: "msdfl", weight: msdflWeight, epsilon }) as ClientConfigOf<"msdfl">;
    return msdflHooks(model, msdfl);
  }
  return hmsdflHooks(model, { weight, projections: tier.projections, epsilon });
}

function hmsdflHooks(
  model: Model,
  { weight, projections, epsilon }: Pick<ClientConfigOf<"hmsdfl">, "weight" | "projections" | "epsilon">,
): LocalHooks {
  return {
    gradient: async ({ parameters, batch, mode, random }) => {
      const { loss, gradient } = await model.valueAndGradient(parameters, batch, {}, mode);
      for (let k = 0; k < projections; k++) {
        const directions = unitDirections(random.derive("projection", k), batch.size, model.config.classes);
        const term = await jacobianTerm(model, parameters, batch, directions, mode, epsilon);
        addScaled(gradient, weight / projections, term.gradient);
      }
      return { loss, gradient };
    },
  };
}

/** One direction per sample, uniform on the sphere of the classes: size × classes. */
export function unitDirections(random: Random, size: number, classes: number): Float32Array {
  const directions = new Float32Array(size * classes);
  for (let b = 0; b < size; b++) {
    let squares = 0;
    const draws = Array.from({ length: classes }, () => {
      const value = random.normal();
      squares += value * value;
      return value;
    });
    const length = Math.sqrt(squares);
    for (const [c, value] of draws.entries()) directions[b * classes + c] = value / length;
  }
  return directions;
}

/**
 * R̂ = (C/B)·‖∇Σ_α⟨q^α, z^α⟩‖², whose mean over directions q is (1/B)Σ‖J^α‖_F², and its gradient by a difference quotient of length `epsilon`:
 * (C/(Bε))·‖g‖·[∇s(θ+εu) − ∇s(θ−εu)].
 */
export async function jacobianTerm(
  model: Model,
  parameters: Float32Array,
  { features, size }: Batch,
  directions: Float32Array,
  mode: Mode,
  epsilon: number,
): Promise<{ readonly value: number; readonly gradient: Float32Array }> {
  const gradientAt: GradientAt = async (point) => {
    const request = { cotangents: { logits: directions } };
    return (await model.valueAndGradient(point, { features, size }, request, mode)).gradient;
  };
  const factor = model.config.classes / size;
  const { length, gradient } = await gradientNorm(gradientAt, parameters, epsilon);
  return { value: factor * length * length, gradient: gradient.map((value) => 2 * factor * length * value) };
}
