// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { Random } from "../../protocol/random.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Model } from "../model.ts";
import { type ModelSymmetry, modelSymmetry } from "../symmetry/modelSymmetry.ts";
import { addProximal } from "./fedProx.ts";
import { type HeadPlace, headOf } from "./head.ts";
import type { LocalAlgorithm } from "./localAlgorithm.ts";
import { type LocalHooks, runLocalLoop } from "./localLoop.ts";
import { drawRotations, type LinearHead, rotationTerm } from "./rotationConsistency.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { addScaled, difference } from "./vectors.ts";

/**
 * SPFL (Doc0; spec B8.3) in three parts: (a) λ_perm(θ − P*⁻¹w^t), the pull to the nearest copy of the received model under permutations of neurons,
 * matched anew every pass, or not (FedProx then); (b) λ_rot·∇R_rot, consistency of the head under small rotations of the features; (c) the local
 * model is sent in the order of neurons that lies closest to the received one, which changes no output. Where all members start from the same
 * model and take few steps P* is nearly always the identity: (a) is FedProx and (c) does nothing.
 *
 * The literal regulariser E_g‖θ − gθ‖² (eq. (3)) is there with weight 0: it is smallest where exchangeable neurons are equal. It is estimated with
 * one random g per step, whose gradient is 2(2θ − gθ − g⁻¹θ).
 *
 * @throws ConfigError where λ_perm·η ≥ 1, which oscillates, and where the model has no head to rotate.
 */
export function spfl(config: ClientConfigOf<"spfl">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  const { permutationWeight, rotationWeight, align } = config;
  if (permutationWeight * plan.learningRate >= 1)
    throw new ConfigError("SPFL's permutationWeight times the learning rate is 1 or more and oscillates; lower one.");
  const head = rotationWeight > 0 ? headOf(model) : undefined;
  const symmetry = modelSymmetry(model.config);
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      const hooks = hooksFor(config, task.random, { start, model, symmetry, head });
      const { parameters, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start, hooks));
      const sent = align ? symmetry.alignTo(parameters, start, task.random.derive("upload")) : parameters;
      return { delta: difference(sent, start), trainLoss, local: task.local };
    },
  };
}

interface Parts {
  readonly start: Float32Array;
  readonly model: Model;
  readonly symmetry: ModelSymmetry;
  readonly head: HeadPlace | undefined;
}

function hooksFor(
  { permutationWeight, rotationWeight, literalWeight, matchEvery, maxAngle, rotations }: ClientConfigOf<"spfl">,
  random: Random,
  { start, model, symmetry, head }: Parts,
): LocalHooks {
  // P*⁻¹w^t: the received model in the order of the local one's neurons. Before the first step that is the received order.
  let anchor = start;
  let step = 0;
  const correct: LocalHooks["correct"] = (gradient, parameters) => {
    if (permutationWeight > 0) addProximal(gradient, permutationWeight, parameters, anchor);
    if (literalWeight === 0) return;
    const { moved, movedBack } = symmetry.randomAction(parameters, random.derive("literal", step));
    step += 1;
    for (let i = 0; i < gradient.length; i++) {
      const pull = 2 * (parameters[i] as number) - (moved[i] as number) - (movedBack[i] as number);
      gradient[i] = (gradient[i] as number) + 2 * literalWeight * pull;
    }
  };
  const afterStep: LocalHooks["afterStep"] = (parameters, k, endsPass) => {
    if (endsPass) anchor = symmetry.alignTo(start, parameters, random.derive("match", k));
  };
  return {
    ...(permutationWeight > 0 || literalWeight > 0 ? { correct } : {}),
    ...(permutationWeight > 0 && matchEvery === "epoch" ? { afterStep } : {}),
    ...(head === undefined ? {} : { gradient: rotationGradient(model, head, { rotationWeight, maxAngle, rotations }) }),
  };
}

function rotationGradient(
  model: Model,
  head: HeadPlace,
  { rotationWeight, maxAngle, rotations }: { rotationWeight: number; maxAngle: number; rotations: number | undefined },
): NonNullable<LocalHooks["gradient"]> {
  return async ({ parameters, batch, mode, random }) => {
    const { features } = await model.forward(parameters, batch, mode);
    const layer: LinearHead = {
      weight: parameters.subarray(head.weight, head.weight + head.classes * head.width),
      bias: parameters.subarray(head.bias, head.bias + head.classes),
    };
    const count = rotations ?? Math.ceil(head.width / 4);
    const term = rotationTerm(layer, features, drawRotations(random, head.width, count, maxAngle));
    const cotangents = { features: Float32Array.from(term.features, (value) => rotationWeight * value) };
    const result = await model.valueAndGradient(parameters, batch, { cotangents }, mode);
    const { gradient } = result;
    addScaled(gradient.subarray(head.weight, head.weight + term.weight.length), rotationWeight, term.weight);
    addScaled(gradient.subarray(head.bias, head.bias + term.bias.length), rotationWeight, term.bias);
    return result;
  };
}
