// SPDX-License-Identifier: Apache-2.0
import { svd } from "../../numerics/svd.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { keyedRandom, type Random } from "../../protocol/random.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { ParameterTensor } from "../layout.ts";
import type { Model } from "../model.ts";
import type { AuxiliaryTensor, LocalAlgorithm, LocalTask } from "./localAlgorithm.ts";
import { runLocalLoop } from "./localLoop.ts";
import { addProducts, type LowRankWeight, lowRankModel, lowRankWeights } from "./lowRankModel.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference, joined } from "./vectors.ts";

/**
 * Low-rank adaptation (Hu et al. 2022; spec B15): W = W_0 + (a/r)·B·A with A ∈ R^{r×in}, B ∈ R^{out×r}; only factors are trained. The mean of
 * products is not the product of means, so the modes differ in what travels:
 *
 * - `stack` (FLoRA): each member starts a round from B = 0 and its own A, and sends its product as an update of W; the mean of products is exact,
 *   and folded into the model by the aggregation itself. The model that validators score is the adapted one.
 * - `naive` (FedIT): A and B travel as tensors of their own and are averaged separately.
 * - `freezeA` (FFA-LoRA): A is drawn once, the same for all, and only B travels: exact.
 * - `svd` (FlexLoRA): the mean of products travels; a member starts from its best factors of rank r.
 *
 * In the last three the model's own coordinates stay as they are, and the adapted model is what `personalise` gives.
 *
 * @throws ConfigError for tensors that are no weight matrices of the model, and for a rank above their extents.
 */
export function lora(config: ClientConfigOf<"lora">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  if (config.mode === "freezeA" && (plan.weightDecay ?? 0) > 0)
    throw new ConfigError(
      "Weight decay would shrink the A that all members must have alike; leave weightDecay out, or take another mode.",
    );
  const weights = lowRankWeights(adapted(config, model), config.rank);
  const scale = config.alpha / config.rank;
  const auxiliary = auxiliaryOf(config, weights);
  const size = model.parameterCount;

  /** The base that stays fixed this round, and the factors that a member starts from. */
  const begin = (
    task: Pick<LocalTask, "state"> & Partial<Pick<LocalTask, "random">>,
  ): { base: Float32Array; factors: Float32Array; received: readonly Float32Array[] } => {
    const { parameters: base, auxiliary: received } = receivedState(task, model, auxiliary);
    const factors = new Float32Array(weights.reduce((sum, { a, b }) => sum + a.size + b.size, 0));
    for (const [l, weight] of weights.entries()) {
      const [a, b] = [factors.subarray(weight.a.offset), factors.subarray(weight.b.offset)];
      switch (config.mode) {
        case "naive":
          a.set(received[2 * l] as Float32Array);
          b.set(received[2 * l + 1] as Float32Array);
          break;
        case "freezeA":
          a.set(frozenFactor(weight));
          b.set(received[l] as Float32Array);
          break;
        case "stack":
          a.set(gaussianFactor(weight, (task.random as Random).derive("lora", weight.name)));
          break;
        case "svd":
          setBestFactors(received[l] as Float32Array, weight, scale, a, b);
      }
    }
    return { base, factors, received };
  };

  const assembled = (state: Float32Array): Float32Array => {
    const { parameters, auxiliary: received } = receivedState({ state }, model, auxiliary);
    const own = parameters.slice();
    if (config.mode === "stack") return own;
    if (config.mode === "svd") {
      for (const [l, { offset }] of weights.entries())
        (received[l] as Float32Array).forEach((value, i) => {
          own[offset + i] = (own[offset + i] as number) + value;
        });
      return own;
    }
    addProducts(own, begin({ state }).factors, weights, scale);
    return own;
  };

  return {
    auxiliary,
    globalModel: assembled,
    async train(task) {
      const { base, factors, received } = begin(task);
      const trainable = config.mode === "freezeA" ? "b" : "both";
      const inner = lowRankModel(model, base, weights, scale, trainable);
      const { parameters: trained, trainLoss } = await runLocalLoop(loopOf(task, inner, plan, factors));
      const parts = (weight: LowRankWeight): Float32Array[] => {
        const at = ({ offset, size: length }: ParameterTensor): Float32Array =>
          trained.subarray(offset, offset + length);
        if (config.mode === "naive") return [at(weight.a), at(weight.b)];
        if (config.mode === "freezeA") return [at(weight.b)];
        const product = new Float32Array(weight.rows * weight.columns);
        addProducts(product, trained, [{ ...weight, offset: 0 }], scale);
        return [product];
      };
      const sent = weights.flatMap(parts);
      if (config.mode === "stack") {
        const delta = new Float32Array(size);
        for (const [l, { offset }] of weights.entries()) delta.set(difference0(sent[l] as Float32Array), offset);
        return { delta, trainLoss, local: task.local };
      }
      const changes = sent.map((values, i) => difference(values, received[i] as Float32Array));
      return { delta: joined(new Float32Array(size), ...changes), trainLoss, local: task.local };
    },
    personalise: async ({ state }) => assembled(state),
  };
}

/** The same values without −0. */
function difference0(values: Float32Array): Float32Array {
  return values.map((value) => value + 0);
}

function adapted({ tensors, rank }: ClientConfigOf<"lora">, model: Model): readonly ParameterTensor[] {
  const matrices = model.layout.filter(({ shape }) => shape.length === 2);
  const chosen = tensors?.map((name) => {
    const tensor = matrices.find((candidate) => candidate.name === name);
    if (tensor !== undefined) return tensor;
    throw new ConfigError(
      `The model has no weight matrix "${name}" to adapt; it has ${matrices.map((matrix) => matrix.name).join(", ")}.`,
    );
  });
  const weights = chosen ?? matrices.filter(({ shape }) => rank <= Math.min(...shape));
  const narrow = weights.find(({ shape }) => rank > Math.min(...shape));
  if (narrow !== undefined || weights.length === 0)
    throw new ConfigError(
      `Rank ${rank} is above ${narrow === undefined ? "the extents of every weight matrix" : `an extent of ${narrow.name} [${narrow.shape.join(", ")}]`}; lower it.`,
    );
  return weights;
}

function auxiliaryOf({ mode }: ClientConfigOf<"lora">, weights: readonly LowRankWeight[]): readonly AuxiliaryTensor[] {
  return weights.flatMap((weight): AuxiliaryTensor[] => {
    const factorA = { name: `lora.${weight.name}.A`, shape: weight.a.shape, initial: frozenFactor(weight) };
    const factorB = { name: `lora.${weight.name}.B`, shape: weight.b.shape };
    if (mode === "naive") return [factorA, factorB];
    if (mode === "freezeA") return [factorB];
    if (mode === "svd") return [{ name: `lora.${weight.name}.product`, shape: [weight.rows, weight.columns] }];
    return [];
  });
}

/** The A that all members start from or keep. */
function frozenFactor(weight: LowRankWeight): Float32Array {
  return gaussianFactor(weight, keyedRandom("lora", weight.name));
}

/** A from N(0, 1/in). */
function gaussianFactor({ a, columns }: LowRankWeight, random: Random): Float32Array {
  return Float32Array.from({ length: a.size }, () => random.normal() / Math.sqrt(columns) + 0);
}

/**
 * The factors of rank r whose product is closest to the mean of products: B = U√s, A = √s·Vᵀ, over the scale. Where a singular value is 0 (at
 * first, all of them), A's row is drawn anew and B's column is 0, so that training can begin.
 */
function setBestFactors(
  product: Float32Array,
  weight: LowRankWeight,
  scale: number,
  a: Float32Array,
  b: Float32Array,
): void {
  const { rows, columns, rank } = weight;
  const tall = rows >= columns;
  const matrix = new Float64Array(product.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++)
      matrix[tall ? i * columns + j : j * rows + i] = product[i * columns + j] as number;
  const { u, s, v } = tall ? svd(matrix, rows, columns) : svd(matrix, columns, rows);
  const thin = Math.min(rows, columns);
  const [left, right] = tall ? [u, v] : [v, u];
  const fresh = frozenFactor(weight);
  for (let k = 0; k < rank; k++) {
    const value = s[k] as number;
    const root = Math.sqrt(value / scale);
    const empty = !(value > 1e-12);
    for (let j = 0; j < columns; j++)
      a[k * columns + j] = empty ? (fresh[k * columns + j] as number) : root * (right[j * thin + k] as number);
    for (let i = 0; i < rows; i++) b[i * rank + k] = empty ? 0 : root * (left[i * thin + k] as number);
  }
}
