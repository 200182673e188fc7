// SPDX-License-Identifier: Apache-2.0
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Mode, Model } from "../model.ts";
import type { ShardBatch } from "./batches.ts";
import { hessianTimes } from "./differenceQuotient.ts";
import type { AuxiliaryTensor, LocalAlgorithm } from "./localAlgorithm.ts";
import { type LossAndGradient, requireFinite, runLocalLoop, type StepPoint } from "./localLoop.ts";
import { shardGradient } from "./shardGradient.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { modeOfSamples } from "./trainingMode.ts";
import { difference, joined, norm } from "./vectors.ts";

/**
 * FedMeta (Chen et al. 2018; spec B14): a model from which few steps on little data lead far. Every batch is split into support S and query Q:
 *
 *     θ' = θ − a⊙∇L_S(θ)     step along (I − H_S(θ)·diag(a))·∇L_Q(θ')
 *
 * `first` leaves H_S out (FOMAML); `hessian` has it by differences of gradients. With `learnRates` (Meta-SGD) a is learned per parameter with the
 * plan's rate, ∂/∂a = −∇L_S(θ)⊙∇L_Q(θ'), and travels beside the model. A batch of one sample cannot be split and moves nothing. The training
 * loss is that of Q at θ'. `personalise` adapts on the whole shard.
 */
export function fedMeta(config: ClientConfigOf<"fedmeta">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  const size = model.parameterCount;
  const auxiliary: readonly AuxiliaryTensor[] = config.learnRates
    ? [{ name: "fedmeta.rates", shape: [size], initial: new Float32Array(size).fill(config.innerRate) }]
    : [];
  const fixed = new Float32Array(size).fill(config.innerRate);
  return {
    auxiliary,
    async train(task) {
      const { parameters: start, auxiliary: received } = receivedState(task, model, auxiliary);
      const rates = received[0]?.slice() ?? fixed;
      const gradient = async ({ parameters, batch, mode }: StepPoint): Promise<LossAndGradient> => {
        const split = splitBatch(batch, config.supportShare, model.config.inputs);
        if (split === undefined) {
          const { loss } = await model.valueAndGradient(parameters, batch, {}, mode);
          return { loss, gradient: new Float32Array(size) };
        }
        const { loss, gradient, slope } = await metaGradient(model, parameters, split, rates, config, mode);
        if (config.learnRates)
          for (let i = 0; i < size; i++) rates[i] = (rates[i] as number) - plan.learningRate * (slope[i] as number);
        return { loss, gradient };
      };
      const { parameters, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start, { gradient }));
      const delta = joined(difference(parameters, start), ...received.map((before) => difference(rates, before)));
      requireFinite(delta, plan);
      return { delta, trainLoss, local: task.local };
    },
    async personalise(task) {
      const { parameters: start, auxiliary: received } = receivedState(task, model, auxiliary);
      const rates = received[0] ?? fixed;
      let parameters = start;
      for (let k = 0; k < config.adaptationSteps; k++) {
        const { gradient } = await shardGradient(model, parameters, task.shard, task.signal);
        parameters = parameters.map((w, i) => w - (rates[i] as number) * (gradient[i] as number));
      }
      return parameters;
    },
  };
}

export interface SplitBatch {
  readonly support: ShardBatch;
  readonly query: ShardBatch;
}

/** The first ⌈share·B⌉ samples as support, at least one on each side; undefined for a batch of one. */
export function splitBatch(batch: ShardBatch, share: number, inputs: number): SplitBatch | undefined {
  if (batch.size < 2) return undefined;
  const cut = Math.min(batch.size - 1, Math.ceil(share * batch.size));
  const part = (from: number, to: number): ShardBatch => ({
    features: batch.features.subarray(from * inputs, to * inputs),
    labels: batch.labels.subarray(from, to),
    indices: Array.from({ length: to - from }, (_, b) => batch.indices[from + b] as number),
    size: to - from,
  });
  return { support: part(0, cut), query: part(cut, batch.size) };
}

/** ∇_θ L_Q(θ − a⊙∇L_S(θ)) to the order asked for, and its slope in a. */
export async function metaGradient(
  model: Model,
  parameters: Float32Array,
  { support, query }: SplitBatch,
  rates: Float32Array,
  { order, epsilon }: Pick<ClientConfigOf<"fedmeta">, "order" | "epsilon">,
  mode: Mode,
): Promise<LossAndGradient & { readonly slope: Float32Array }> {
  const size = support.size + query.size;
  const supportMode = modeOfSamples(mode, 0, support.size, size);
  const supportGradient = async (point: Float32Array): Promise<Float32Array> =>
    (await model.valueAndGradient(point, support, {}, supportMode)).gradient;
  const inner = await supportGradient(parameters);
  const adapted = parameters.map((w, i) => w - (rates[i] as number) * (inner[i] as number));
  const { loss, gradient } = await model.valueAndGradient(
    adapted,
    query,
    {},
    modeOfSamples(mode, support.size, size, size),
  );
  const slope = inner.map((value, i) => -value * (gradient[i] as number));
  if (order === "first") return { loss, gradient, slope };
  const scaled = Float64Array.from(gradient, (value, i) => (rates[i] as number) * value);
  const length = norm(scaled);
  if (length < 1e-12) return { loss, gradient, slope };
  const curvature = await hessianTimes(
    supportGradient,
    parameters,
    scaled.map((value) => value / length),
    epsilon,
  );
  return { loss, gradient: gradient.map((value, i) => value - length * (curvature[i] as number)), slope };
}
