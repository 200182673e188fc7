// SPDX-License-Identifier: Apache-2.0
import type { ParameterTensor } from "../../learning/layout.ts";
import type { Model } from "../../learning/model.ts";
import { median } from "../../numerics/quantiles.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { exp, log, logSumExp } from "../../protocol/math.ts";
import type { Random } from "../../protocol/random.ts";
import { adam } from "./adam.ts";
import { meanGradient, oneHot, rows, shuffledPasses, take } from "./batches.ts";
import { perceptron } from "./perceptron.ts";
import type { FloatVector, MemberUpdate, ServerStrategy } from "./strategy.ts";
import { checkUpdates, cosine, dot, head, moved, norm } from "./vectors.ts";

export interface FedMconOptions {
  /** Adam steps each round. */
  readonly steps: number;
  readonly learningRate: number;
  /** Proxy samples per step. */
  readonly batchSize: number;
  /** μ of the pull of the weights towards 1/K. */
  readonly uniformPull: number;
}

/** What the controller has learned; it goes on from round to round. */
export interface FedMconState {
  /** ψ, the perceptron's parameters. */
  readonly controller: Float64Array;
  /** ln γ_l of each layer group. */
  readonly logScales: Float64Array;
}

/** A run of coordinates that belong to one layer. */
export interface LayerGroup {
  readonly offset: number;
  readonly size: number;
}

/** Per layer group and member, row-major K × L: what the controller sees is four numbers for each. */
const FEATURES = 4;
const NET = perceptron([FEATURES, 16, 1]);

/**
 * A learned aggregator (after FedMcon, FITEE 2025; the core of spec E19): for each layer group l a softmax over the members gives weights P_kl,
 *
 *     A_kl = u_ψ(ln ‖Δ_kl‖/median, cos(Δ_kl, median direction), n_k/n, F_k(w^t))     P_·l = softmax(A_·l)
 *     w(ψ)_l = w^t_l + γ_l Σ_k P_kl Δ_kl
 *
 * and ψ, γ are trained on the server's labelled proxy set through w(ψ). First derivatives are enough: with g = ∇L_proxy(w(ψ)),
 *
 *     ∂L/∂A_kl = γ_l P_kl (⟨g_l, Δ_kl⟩ − Σ_j P_jl ⟨g_l, Δ_jl⟩)     ∂L/∂ln γ_l = γ_l ⟨g_l, Σ_k P_kl Δ_kl⟩.
 *
 * ψ's last layer starts at zero, so that the first weights are 1/K and γ = 1: the uniform mean. A small proxy set is easily overfitted; the pull
 * μ/2·Σ(P − 1/K)² holds against that. Auxiliary tensors move by their uniform mean. Adam's moments start anew every round.
 *
 * @param random for ψ's first values.
 */
export function fedMcon(
  model: Model,
  proxy: Dataset,
  options: FedMconOptions,
  random: Random,
): ServerStrategy<FedMconState> {
  const groups = layerGroups(model.layout);
  return {
    initial: {
      controller: NET.initialise(random.derive("controller")),
      logScales: new Float64Array(groups.length),
    },
    async aggregate(state, { parameters, updates, random: stream }) {
      checkUpdates(updates, model.parameterCount);
      const received = head(parameters, model.parameterCount);
      const features = controllerFeatures(updates, groups);
      const psi = Float64Array.from([...state.controller, ...state.logScales]);
      const optimiser = adam(psi.length);
      const split = () => ({
        controller: psi.subarray(0, NET.parameterCount),
        logScales: psi.subarray(NET.parameterCount),
      });
      const indices = shuffledPasses(proxy.size, stream.derive("proxy"));
      let proxyLoss = 0;
      for (let step = 0; step < options.steps; step++) {
        const { controller, logScales } = split();
        const weights = layerWeights(controller, features, groups.length);
        const delta = combined(updates, groups, weights.shares, logScales);
        const batch = take(indices, Math.min(options.batchSize, proxy.size));
        const { loss, gradient } = await meanGradient(
          model,
          moved(received, delta),
          rows(proxy.features, proxy.inputs, batch),
          oneHot(
            batch.map((index) => proxy.labels[index] as number),
            proxy.classes,
          ),
        );
        proxyLoss = loss;
        const products = layerProducts(updates, groups, gradient);
        const slope = controllerGradient(controller, weights, products, logScales, options.uniformPull);
        optimiser.step(psi, slope, options.learningRate);
      }
      const { controller, logScales } = split();
      const { shares } = layerWeights(controller, features, groups.length);
      return {
        state: { controller: controller.slice(), logScales: logScales.slice() },
        outcome: {
          delta: combined(updates, groups, shares, logScales),
          kept: updates.map(() => true),
          diagnostics: { proxyLoss, layerWeights: [...shares], layerScales: Array.from(logScales, exp) },
        },
      };
    },
  };
}

/** Layers: tensors that stand side by side and share their name up to the last dot. */
export function layerGroups(layout: readonly ParameterTensor[]): readonly LayerGroup[] {
  const groups: { name: string; offset: number; size: number }[] = [];
  for (const { name, offset, size } of layout) {
    const layer = name.slice(0, Math.max(0, name.lastIndexOf(".")));
    const last = groups.at(-1);
    if (last?.name === layer && layer !== "") last.size += size;
    else groups.push({ name: layer, offset, size });
  }
  return groups.map(({ offset, size }) => ({ offset, size }));
}

/** K × L × 4, bounded whatever a member sends. A loss that is not reported counts as 0. */
function controllerFeatures(updates: readonly MemberUpdate[], groups: readonly LayerGroup[]): Float64Array {
  const samples = updates.reduce((sum, { samples: n }) => sum + n, 0);
  const features = new Float64Array(updates.length * groups.length * FEATURES);
  for (const [l, { offset, size }] of groups.entries()) {
    const lengths = updates.map(({ delta }) => norm(delta, offset, size));
    const usual = median(lengths);
    const direction = medianDirection(updates, offset, size);
    for (const [k, { delta, samples: n, loss }] of updates.entries()) {
      const ratio = usual > 0 ? (lengths[k] as number) / usual : 1;
      features.set(
        [
          log(Math.max(1e-6, Math.min(1e6, ratio))),
          cosine(delta.subarray(offset, offset + size), direction),
          samples > 0 ? n / samples : 1 / updates.length,
          Math.max(0, Math.min(10, loss ?? 0)),
        ],
        (k * groups.length + l) * FEATURES,
      );
    }
  }
  return features;
}

function medianDirection(updates: readonly MemberUpdate[], offset: number, size: number): Float64Array {
  const column = new Float64Array(updates.length);
  return Float64Array.from({ length: size }, (_, j) => {
    for (const [k, { delta }] of updates.entries()) column[k] = delta[offset + j] as number;
    return median(column);
  });
}

interface LayerWeights {
  /** P, K × L. */
  readonly shares: Float64Array;
  /** What the controller computed for each entry, for its backward pass. */
  readonly passes: readonly ReturnType<typeof NET.forward>[];
}

function layerWeights(controller: Float64Array, features: Float64Array, layers: number): LayerWeights {
  const passes = Array.from({ length: features.length / FEATURES }, (_, entry) =>
    NET.forward(controller, features.subarray(entry * FEATURES, (entry + 1) * FEATURES)),
  );
  const shares = new Float64Array(passes.length);
  for (let l = 0; l < layers; l++) {
    const logits = passes.filter((_, entry) => entry % layers === l).map(({ output }) => output[0] as number);
    const normaliser = logSumExp(logits);
    for (const [k, logit] of logits.entries()) shares[k * layers + l] = exp(logit - normaliser);
  }
  return { shares, passes };
}

function combined(
  updates: readonly MemberUpdate[],
  groups: readonly LayerGroup[],
  shares: Float64Array,
  logScales: Float64Array,
): Float64Array {
  const delta = new Float64Array(updates[0]?.delta.length ?? 0);
  const end = groups.reduce((most, { offset, size }) => Math.max(most, offset + size), 0);
  for (const { delta: one } of updates)
    for (let j = end; j < delta.length; j++) delta[j] = (delta[j] as number) + (one[j] as number) / updates.length;
  for (const [l, { offset, size }] of groups.entries()) {
    const scale = exp(logScales[l] as number);
    for (const [k, update] of updates.entries()) {
      const weight = scale * (shares[k * groups.length + l] as number);
      for (let j = offset; j < offset + size; j++)
        delta[j] = (delta[j] as number) + weight * (update.delta[j] as number);
    }
  }
  return delta;
}

/** ⟨g_l, Δ_kl⟩, K × L. */
function layerProducts(
  updates: readonly MemberUpdate[],
  groups: readonly LayerGroup[],
  gradient: FloatVector,
): Float64Array {
  return Float64Array.from(
    updates.flatMap(({ delta }) => groups.map(({ offset, size }) => dot(gradient, delta, offset, size))),
  );
}

/**
 * ∂/∂A of L + μ/2·Σ(P − 1/K)², K × L: the softmax's Jacobian applied to γ_l⟨g_l, Δ_kl⟩ + μ(P_kl − 1/K).
 *
 * @param shares P.
 * @param products ⟨g_l, Δ_kl⟩.
 * @param scales γ.
 */
export function logitGradient(
  shares: Float64Array,
  products: Float64Array,
  scales: Float64Array,
  uniformPull: number,
): Float64Array {
  const layers = scales.length;
  const members = shares.length / layers;
  const slopes = products.map(
    (product, entry) =>
      (scales[entry % layers] as number) * product + uniformPull * ((shares[entry] as number) - 1 / members),
  );
  const means = new Float64Array(layers);
  for (const [entry, slope] of slopes.entries())
    means[entry % layers] = (means[entry % layers] as number) + (shares[entry] as number) * slope;
  return slopes.map((slope, entry) => (shares[entry] as number) * (slope - (means[entry % layers] as number)));
}

/** The gradient with respect to (ψ, ln γ), as one vector. */
function controllerGradient(
  controller: Float64Array,
  { shares, passes }: LayerWeights,
  products: Float64Array,
  logScales: Float64Array,
  uniformPull: number,
): Float64Array {
  const layers = logScales.length;
  const scales = logScales.map(exp);
  const logits = logitGradient(shares, products, scales, uniformPull);
  const gradient = new Float64Array(NET.parameterCount + layers);
  for (const [entry, pass] of passes.entries())
    NET.backward(controller, pass, [logits[entry] as number], gradient.subarray(0, NET.parameterCount));
  for (const [entry, product] of products.entries()) {
    const l = NET.parameterCount + (entry % layers);
    gradient[l] = (gradient[l] as number) + (scales[entry % layers] as number) * (shares[entry] as number) * product;
  }
  return gradient;
}
