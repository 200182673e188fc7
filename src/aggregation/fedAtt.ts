// SPDX-License-Identifier: Apache-2.0
import { powerOfTwo } from "../protocol/grid.ts";
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { sharesWithin } from "./integerWeights.ts";
import type { ColumnShares, GroupProducts, RuleInput, WeighedUpdates } from "./rule.ts";
import { normalised, softmax } from "./softmax.ts";

export type FedAttParameters = Extract<AggregationConfig, { rule: "fedatt" }>["parameters"];

/**
 * FedAtt: attention over updates, layer by layer (a layer is a tensor group): a^l = softmax_k(s_k^l / τ), and the model moves by ε·Σ_k a_k^l Δ_k^l.
 *
 * `distance`, the paper's: s_k^l = ‖Δ_k^l‖, the distance of member k's layer from the head's, so **the farther the more weight**; `relative`
 * divides by the mean distance, since raw distances saturate. Whoever sends the longest update takes the model over: for the laboratory only.
 * `cosine`, how the text of a later survey reads: s_k^l = cos(Δ_k^l, m^l), m the coordinate-wise median of all updates; similar updates weigh
 * more. A layer of zeros scores 0.
 *
 * `scope`: weights per `layer`, for the whole `model`, or `both`: the product of the two, normalised again. ε = `stepSize` ≤ 1 and the rest is
 * unspent: weights on the grid never sum to more than 1, and longer steps (the paper's 1.2) are a server optimiser's (fedavgm without momentum).
 *
 * An update far out loses weight, but not all of it, so no bound holds and none is claimed. Needs K ≥ 1, by cosine K ≥ 3: below, the median says
 * nothing.
 *
 * Paper: Ji et al. 2019, "Learning private neural language modeling with attentive aggregation".
 */
export function fedAtt(parameters: FedAttParameters) {
  return ({ groups, maxFractionBits }: RuleInput): WeighedUpdates => {
    const attentionOf = (products: GroupProducts): Float64Array =>
      softmax(scoresOf(products, parameters, powerOfTwo(-maxFractionBits)), parameters.temperature);
    const whole = attentionOf(wholeOf(groups));
    const count = whole.length;
    const columnOf = (attention: Float64Array): ColumnShares & { readonly attention: Float64Array } => {
      const weights = attention.map((weight) => weight * parameters.stepSize);
      return { attention, ...sharesWithin(weights, new Array<boolean>(count).fill(true)) };
    };
    const layers =
      parameters.scope === "model"
        ? [columnOf(whole)]
        : groups.map((products) => {
            const layer = attentionOf(products);
            return columnOf(
              parameters.scope === "layer"
                ? layer
                : normalised(layer.map((weight, k) => weight * (whole[k] as number))),
            );
          });
    // Kept is who weighs anything anywhere; integer columns then give at least a unit to each in all of them.
    const kept = Array.from({ length: count }, (_, k) => layers.some(({ shares }) => (shares[k] as bigint) > 0n));
    const { shares, unspent } = columnOf(whole);
    return {
      kind: "weights",
      kept,
      shares,
      ...(unspent === undefined ? {} : { unspent }),
      ...(parameters.scope === "model" ? {} : { columns: layers }),
    };
  };
}

function scoresOf(products: GroupProducts, parameters: FedAttParameters, unit: number): Float64Array {
  const lengths = Float64Array.from(products.norms, (norm) => Math.sqrt(Number(norm)));
  if (parameters.attention === "cosine") {
    const anchor = Math.sqrt(Number(products.anchorNorm));
    return lengths.map((length, k) => {
      const product = Number(products.anchored[k] as bigint);
      return length > 0 && anchor > 0 ? product / (length * anchor) : 0;
    });
  }
  if (!parameters.relative) return lengths.map((length) => length * unit);
  let sum = 0;
  for (const length of lengths) sum += length;
  return lengths.map((length) => (sum > 0 ? (length * lengths.length) / sum : 0));
}

function wholeOf(groups: readonly GroupProducts[]): GroupProducts {
  const count = groups[0]?.norms.length ?? 0;
  const sums = (of: (group: GroupProducts) => readonly bigint[]): bigint[] =>
    Array.from({ length: count }, (_, k) => groups.reduce((sum, group) => sum + (of(group)[k] as bigint), 0n));
  return {
    norms: sums(({ norms }) => norms),
    anchored: sums(({ anchored }) => anchored),
    anchorNorm: groups.reduce((sum, { anchorNorm }) => sum + anchorNorm, 0n),
  };
}
