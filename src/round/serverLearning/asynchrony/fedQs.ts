// SPDX-License-Identifier: Apache-2.0
import type { ParameterTensor } from "../../../learning/layout.ts";
import { median } from "../../../numerics/quantiles.ts";
import { exp } from "../../../protocol/math.ts";
import type { AsyncConfig } from "../serverConfig.ts";
import type { FloatVector } from "../strategy.ts";
import { sineCosine } from "../trigonometry.ts";
import { dot, normalised } from "../vectors.ts";
import type { AsyncPolicy } from "./policies.ts";

/** 1 − ln 2 = ln(e/2). */
const LN_HALF_E = 1 - Math.LN2;

export interface FedQsHooks {
  /** n_i. */
  readonly samples: (member: number) => number;
  /**
   * θ_i in radians, the angle between the last movement of the global model and the member's own last update ({@link meanLayerAngle}); undefined
   * before the member's first update or the model's first movement.
   */
  readonly angle: (member: number) => number | undefined;
}

/**
 * FedQS (Li et al. 2025; the core of spec E18, after the authors' code): buffered steps with members told apart by how often they arrive (ρ_i, the
 * share of all arrivals) and how far they point away from where the model goes (θ_i), both against the median of the members seen so far.
 *
 * - fast and unbiased: the learning rate falls by κ·min(ρ̃/ρ_i, 9); slow: it rises by as much; kept within [1e-3, 0.2]. κ = 0.002·lr₀/0.01.
 * - biased (θ_i above the median): the update counts (e/2)^{0.1−ρ_i}·(1 + min(θ_i/θ̄, 2)²) times.
 * - everything else, and every first visit, counts as in FedAvg: λ_i ∝ n_i.
 */
export function fedQsPolicy(config: Extract<AsyncConfig, { name: "fedqs" }>, hooks: FedQsHooks): AsyncPolicy {
  const arrivals = new Map<number, number>();
  const rates = new Map<number, number>();
  let total = 0;
  const shareOf = (member: number): number => (arrivals.get(member) ?? 0) / total;
  return {
    kind: "add",
    needed: config.buffer,
    barrier: false,
    start(member) {
      const rate = rates.get(member) ?? config.learningRate;
      if (!arrivals.has(member)) return { learningRate: rate, factor: 1 };
      const share = shareOf(member);
      const usual = median(Array.from(arrivals.keys(), shareOf));
      const angles = Array.from(arrivals.keys(), hooks.angle).filter((angle) => angle !== undefined);
      const angle = hooks.angle(member);
      const biased = angle !== undefined && angle > median(angles);
      const change = config.rateChange * (config.learningRate / 0.01) * Math.min(usual / share, 9);
      const next = share < usual ? rate + change : share > usual && !biased ? rate - change : rate;
      const learningRate = Math.max(1e-3, Math.min(0.2, next));
      rates.set(member, learningRate);
      return { learningRate, factor: biased ? feedbackFactor(share, angle / mean(angles)) : 1 };
    },
    arrive(member) {
      arrivals.set(member, (arrivals.get(member) ?? 0) + 1);
      total += 1;
    },
    weigh: (buffered) =>
      normalised(buffered.map(({ member, factor }) => hooks.samples(member) * factor)).map(
        (weight) => weight * config.stepSize,
      ),
  };
}

/**
 * (e/2)^{0.1−ρ}·(1 + min(θ/θ̄, 2)²): how much more a biased member counts.
 *
 * @param angleRatio θ/θ̄.
 */
export function feedbackFactor(share: number, angleRatio: number): number {
  const bounded = Math.min(angleRatio, 2);
  return exp((0.1 - share) * LN_HALF_E) * (1 + bounded * bounded);
}

/**
 * The mean over a model's tensors of the angle between two vectors, in radians; tensors in which either is zero are left out, undefined when all
 * are.
 */
export function meanLayerAngle(a: FloatVector, b: FloatVector, layout: readonly ParameterTensor[]): number | undefined {
  const angles: number[] = [];
  for (const { offset, size } of layout) {
    const [aa, bb] = [dot(a, a, offset, size), dot(b, b, offset, size)];
    if (aa > 0 && bb > 0) angles.push(angleOf(dot(a, b, offset, size) / Math.sqrt(aa) / Math.sqrt(bb)));
  }
  return angles.length === 0 ? undefined : mean(angles);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The x in [0, π] with cos x = `cosine`, by bisection: arccos is left to the engine, and near 0 and π no method knows more than 1e-8. */
function angleOf(cosine: number): number {
  let [low, high] = [0, Math.PI];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (sineCosine(middle)[1] > cosine) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
