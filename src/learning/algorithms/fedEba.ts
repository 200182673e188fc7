// SPDX-License-Identifier: Apache-2.0
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Model } from "../model.ts";
import type { AuxiliaryTensor, LocalAlgorithm } from "./localAlgorithm.ts";
import { type LocalHooks, requireFinite, runLocalLoop } from "./localLoop.ts";
import { shardGradient } from "./shardGradient.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference, joined } from "./vectors.ts";

/**
 * The member's part of FedEBA+ (Doc3, arXiv 2301.12407; spec B11). Weights follow from the reported losses of the received model, on the
 * validators' side (`fedeba` in src/aggregation).
 *
 * Gradient alignment: `fedeba.gradient` travels beside the model and is g̃ = Σ p_i·g_i. A member sends g_i − g̃, so that the rule's mean replaces it.
 * The paper exchanges g_i = ∇F_i(w^t) within the round and steps along (1−α)∇F_i(w) + α·g̃; here the g̃ that a member has is of the round before.
 *
 * - `walked`: g_i is the mean of the member's gradients along its way (those of its data, before leaning), and it steps along
 *   ∇F_i(w) + α(g̃ − g_i) with the g_i that it sent. As in SCAFFOLD's option II that is what the steps themselves have seen: a gradient at the
 *   received model is longer than those that follow it, so that leaning by its difference for many steps walks uphill (on Fashion-MNIST, 50 steps of
 *   0.05 and Dirichlet 0.1, to 16 % in place of 72 %).
 * - `received`: the paper's terms with the late g̃. It overshoots: on digits (10 members, Dirichlet 0.3, 20 rounds, 3 seeds) α = 0.5 left 74 % in
 *   place of 93.5 %.
 *
 * Without a g̃ (all zero) or a g_i of its own a member's steps are plain.
 * Model alignment: a member sends (1−α)Δ_i + α(w_i^{t,1} − w^t), whose mean is that of both with the same weights.
 */
export function fedEba(
  { gradientAlpha, modelAlpha, fairGradient }: ClientConfigOf<"fedeba">,
  plan: TrainingPlan,
  model: Model,
): LocalAlgorithm {
  const size = model.parameterCount;
  const auxiliary: readonly AuxiliaryTensor[] = gradientAlpha > 0 ? [{ name: "fedeba.gradient", shape: [size] }] : [];
  /** Leans by the difference of gradients along the way, and adds up the member's own. */
  const walking = (fair: Float32Array, own: Float32Array | undefined, sum: Float64Array): LocalHooks["correct"] => {
    const leans = own !== undefined && isSet(fair);
    return (gradient) => {
      for (let i = 0; i < size; i++) {
        const value = gradient[i] as number;
        sum[i] = (sum[i] as number) + value;
        if (leans) gradient[i] = value + gradientAlpha * ((fair[i] as number) - (own[i] as number));
      }
    };
  };
  const leaning = (fair: Float32Array): LocalHooks["correct"] => {
    if (!isSet(fair)) return undefined;
    return (gradient) => {
      for (let i = 0; i < size; i++)
        gradient[i] = (1 - gradientAlpha) * (gradient[i] as number) + gradientAlpha * (fair[i] as number);
    };
  };
  return {
    auxiliary,
    async train(task) {
      const { parameters: start, auxiliary: received } = receivedState(task, model, auxiliary);
      const fair = received[0];
      const sum = new Float64Array(fair === undefined ? 0 : size);
      const correct =
        fair === undefined
          ? undefined
          : fairGradient === "walked"
            ? walking(fair, task.local["gradient"], sum)
            : leaning(fair);
      let firstStep: Float32Array | undefined;
      const afterStep: LocalHooks["afterStep"] = (parameters, step) => {
        if (step === 0) firstStep = difference(parameters, start);
      };
      const hooks = { ...(correct === undefined ? {} : { correct }), ...(modelAlpha > 0 ? { afterStep } : {}) };
      const { parameters, steps, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start, hooks));
      const walked = difference(parameters, start);
      const sent = firstStep === undefined ? walked : blended(walked, firstStep, modelAlpha);
      if (fair === undefined) return { delta: sent, trainLoss, local: task.local };
      const gradient =
        fairGradient === "walked"
          ? Float32Array.from(sum, (value) => value / steps)
          : (await shardGradient(model, start, task.shard, task.signal)).gradient;
      requireFinite(gradient, plan);
      const local = fairGradient === "walked" ? { ...task.local, gradient } : task.local;
      return { delta: joined(sent, difference(gradient, fair)), trainLoss, local };
    },
  };
}

function isSet(values: Float32Array): boolean {
  return values.some((value) => value !== 0);
}

/** (1−α)·a + α·b. */
function blended(a: Float32Array, b: Float32Array, alpha: number): Float32Array {
  return a.map((value, i) => (1 - alpha) * value + alpha * (b[i] as number) + 0);
}
