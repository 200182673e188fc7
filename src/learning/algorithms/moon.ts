// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../protocol/dataset.ts";
import { ConfigError } from "../../protocol/errors.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import { EVALUATION, type Model } from "../model.ts";
import type { LocalAlgorithm } from "./localAlgorithm.ts";
import { type LocalHooks, requireSamples, runLocalLoop } from "./localLoop.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference, joined, norm, row } from "./vectors.ts";

/** Below this length a representation has no direction. */
const LEAST_LENGTH = 1e-8;
/** Samples per forward pass. */
const CHUNK = 256;

/**
 * MOON (Li, He & Song 2021; spec B6): beside the cross-entropy μ·mean ℓ_con, which draws a sample's representation z towards that of the received
 * model and away from that of the member's own last model:
 *
 *     ℓ_con = ln(1 + e^{(cos(z, z_prev) − cos(z, z_glob))/τ})
 *
 * z is the input of the last linear layer: with `projection` what the model's projection head gives, as in the paper, else the penultimate features.
 * Both others are constants, computed once per round. A member without a previous model trains as in FedAvg, which is what ℓ_con with the received
 * model in its place amounts to.
 *
 * @throws ConfigError where `projection` and the model differ on whether there is a projection head.
 */
export function moon(config: ClientConfigOf<"moon">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  const width = "projection" in model.config ? model.config.projection : undefined;
  if (config.projection && width === undefined)
    throw new ConfigError(
      `This ${model.config.kind} model has no projection head: give it one (projection: 256 in its configuration, 32 for a small model), or leave projection out, and MOON contrasts its penultimate features.`,
      { kind: model.config.kind },
    );
  if (!config.projection && width !== undefined)
    throw new ConfigError(
      `This ${model.config.kind} model has a projection head of ${width} values, which MOON contrasts with projection: true; set it, or leave projection out of the model.`,
      { kind: model.config.kind, projection: width },
    );
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      const previous = task.local["previous"];
      const hooks =
        previous === undefined ? undefined : await contrastHooks(config, model, start, previous, task.shard);
      const { parameters, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start, hooks));
      return { delta: difference(parameters, start), trainLoss, local: { ...task.local, previous: parameters } };
    },
  };
}

async function contrastHooks(
  { mu, temperature }: ClientConfigOf<"moon">,
  model: Model,
  received: Float32Array,
  previous: Float32Array,
  shard: Dataset,
): Promise<LocalHooks> {
  const globalFeatures = await featuresOf(model, received, shard);
  const ownFeatures = await featuresOf(model, previous, shard);
  const width = globalFeatures.length / shard.size;
  return {
    gradient: async ({ parameters, batch, mode }) => {
      const { features } = await model.forward(parameters, batch, mode);
      const cotangent = new Float32Array(features.length);
      for (let b = 0; b < batch.size; b++) {
        const index = batch.indices[b] as number;
        const { gradient } = contrast(
          row(features, b, width),
          row(globalFeatures, index, width),
          row(ownFeatures, index, width),
          temperature,
        );
        for (let i = 0; i < width; i++) cotangent[b * width + i] = (mu / batch.size) * (gradient[i] as number);
      }
      return model.valueAndGradient(parameters, batch, { cotangents: { features: cotangent } }, mode);
    },
  };
}

/** ℓ_con of one representation and its gradient with respect to it. */
export function contrast(
  z: ArrayLike<number>,
  global: ArrayLike<number>,
  previous: ArrayLike<number>,
  temperature: number,
): { readonly loss: number; readonly gradient: Float64Array } {
  const near = cosine(z, global);
  const far = cosine(z, previous);
  const difference = (far.value - near.value) / temperature;
  // ln(1 + e^x) and its slope without overflow.
  const small = Math.exp(-Math.abs(difference));
  const loss = Math.max(difference, 0) + Math.log1p(small);
  const slope = (difference > 0 ? 1 : small) / (1 + small) / temperature;
  return { loss, gradient: far.gradient.map((value, i) => slope * (value - (near.gradient[i] as number))) };
}

/** cos(a, b) and its gradient b/(‖a‖‖b‖) − cos·a/‖a‖²; both 0 where a vector is too short to have a direction. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>): { value: number; gradient: Float64Array } {
  const [lengthA, lengthB] = [norm(a), norm(b)];
  const gradient = new Float64Array(a.length);
  if (lengthA < LEAST_LENGTH || lengthB < LEAST_LENGTH) return { value: 0, gradient };
  let inner = 0;
  for (let i = 0; i < a.length; i++) inner += (a[i] as number) * (b[i] as number);
  const value = inner / (lengthA * lengthB);
  for (let i = 0; i < a.length; i++)
    gradient[i] = (b[i] as number) / (lengthA * lengthB) - (value * (a[i] as number)) / (lengthA * lengthA);
  return { value, gradient };
}

async function featuresOf(model: Model, parameters: Float32Array, shard: Dataset): Promise<Float32Array> {
  requireSamples(shard);
  const parts: Float32Array[] = [];
  for (let first = 0; first < shard.size; first += CHUNK) {
    const size = Math.min(CHUNK, shard.size - first);
    const features = shard.features.subarray(first * shard.inputs, (first + size) * shard.inputs);
    parts.push((await model.forward(parameters, { features, size }, EVALUATION)).features);
  }
  return joined(...parts);
}
