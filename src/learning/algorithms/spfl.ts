// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Model } from "../model.ts";
import { addProximal } from "./fedProx.ts";
import { type HeadPlace, headOf } from "./head.ts";
import type { LocalAlgorithm, LocalTask } from "./localAlgorithm.ts";
import { type LocalHooks, runLocalLoop } from "./localLoop.ts";
import { drawRotations, type LinearHead, rotationTerm } from "./rotationConsistency.ts";
import type { ModelSymmetry } from "./symmetryPort.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { addScaled, difference } from "./vectors.ts";

/**
 * SPFL (Doc0; spec B8.3) in three parts: (a) λ_perm(θ − P*⁻¹w^t), the pull to the nearest copy of the received model under permutations of neurons,
 * matched anew every pass or once at the start; (b) λ_rot·∇R_rot, consistency of the head under small rotations of the features; (c) the local
 * model is sent in the order of neurons that lies closest to the received one, which changes no output.
 *
 * The literal regulariser E_g‖θ − gθ‖² (eq. (3)) is there with weight 0: it is smallest where exchangeable neurons are equal. Its expectation is
 * estimated with one random g per step, whose gradient is 2(2θ − gθ − g⁻¹θ).
 *
 * @throws ConfigError where a part needs the model's permutations and it has none.
 */
export function spfl(
  config: ClientConfigOf<"spfl">,
  plan: TrainingPlan,
  model: Model,
  symmetry: ModelSymmetry | undefined,
): LocalAlgorithm {
  const { permutationWeight, rotationWeight, literalWeight, align } = config;
  if (symmetry === undefined && (permutationWeight > 0 || literalWeight > 0 || align))
    throw new ConfigError(
      `A ${model.config.kind} model has no exchangeable neurons: set permutationWeight and literalWeight to 0 and align to false.`,
    );
  if (permutationWeight * plan.learningRate >= 1)
    throw new ConfigError("SPFL's permutationWeight times the learning rate is 1 or more and oscillates; lower one.");
  const head = rotationWeight > 0 ? headOf(model) : undefined;
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      const hooks = hooksFor(config, model, task, { start, symmetry, head });
      const { parameters, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start, hooks));
      const upload = align
        ? (symmetry as ModelSymmetry).alignTo(parameters, start, task.random.derive("upload"), config.sweeps)
        : parameters;
      return { delta: difference(upload, start), trainLoss, local: task.local };
    },
  };
}

interface Parts {
  readonly start: Float32Array;
  readonly symmetry: ModelSymmetry | undefined;
  readonly head: HeadPlace | undefined;
}

function hooksFor(
  config: ClientConfigOf<"spfl">,
  model: Model,
  { random }: LocalTask,
  { start, symmetry, head }: Parts,
): LocalHooks {
  const { permutationWeight, rotationWeight, literalWeight, matchEvery, maxAngle, sweeps } = config;
  // P*⁻¹w^t: the received model in the order of the local one's neurons. Before the first step that is the received order.
  let anchor = start;
  const literal = literalWeight > 0 ? symmetry : undefined;
  const matches = permutationWeight > 0 && matchEvery === "epoch";
  let corrected = 0;
  const correct: LocalHooks["correct"] = (gradient, parameters) => {
    if (permutationWeight > 0) addProximal(gradient, permutationWeight, parameters, anchor);
    if (literal === undefined) return;
    const { moved, movedBack } = literal.randomAction(parameters, random.derive("literal", corrected));
    corrected += 1;
    for (let i = 0; i < gradient.length; i++) {
      const pull = 2 * (parameters[i] as number) - (moved[i] as number) - (movedBack[i] as number);
      gradient[i] = (gradient[i] as number) + 2 * literalWeight * pull;
    }
  };
  return {
    ...(permutationWeight > 0 || literalWeight > 0 ? { correct } : {}),
    ...(matches
      ? {
          afterStep: (parameters: Float32Array, step: number, endsPass: boolean) => {
            if (endsPass)
              anchor = (symmetry as ModelSymmetry).alignTo(start, parameters, random.derive("match", step), sweeps);
          },
        }
      : {}),
    ...(head === undefined
      ? {}
      : { gradient: rotationGradient(model, head, { rotationWeight, maxAngle, rotations: config.rotations }) }),
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
