// SPDX-License-Identifier: Apache-2.0
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import { meanLoss } from "../evaluate.ts";
import type { Model } from "../model.ts";
import type { AuxiliaryTensor, LocalAlgorithm } from "./localAlgorithm.ts";
import { type LocalHooks, requireFinite, runLocalLoop } from "./localLoop.ts";
import { LOSSES, lossAngle, lossMoments } from "./lossAngle.ts";
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
 * Model alignment: a member sends (1−α)Δ_i + α(w_i^{t,1} − w^t), whose mean is that of both with the same weights. One
 * step being about 1/E as long as a round it shortens the update: α = 0.5 was measured to hurt (spec B11), 0.1 is usual.
 *
 * Without `switchAngle` both are done in every round. With it, as in the paper, one of them: `fedeba.losses` travels too and is the rule's mean of
 * (F_i, F_i²), F_i the member's loss of the received model. Where the angle of the losses (lossAngle.ts) is above `switchAngle` members are unequal,
 * and align gradients; else they align models. g_i is sent in either case, so that g̃ is there when it is wanted. The angle is of the round before,
 * as g̃ is: nothing having come yet, a round is plain. The two means are coded like the rest of an update: with int16 the angle is right to a tenth
 * of a degree, with int8 after the first rounds; with sparse codecs or noise on updates it says little (S-MIX, 4 % of the coordinates: 0 to 28 degrees
 * in place of 4 to 15). Losses are what members say; one can move the means as far as the rule and the bound of lossMoments let it.
 */
export function fedEba(
  { gradientAlpha, modelAlpha, fairGradient, switchAngle }: ClientConfigOf<"fedeba">,
  plan: TrainingPlan,
  model: Model,
): LocalAlgorithm {
  const size = model.parameterCount;
  const auxiliary: readonly AuxiliaryTensor[] = [
    ...(gradientAlpha > 0 ? [{ name: "fedeba.gradient", shape: [size] }] : []),
    ...(switchAngle === undefined ? [] : [LOSSES]),
  ];
  /** Adds up the member's own gradients along the way, and leans by the difference of `fair` to its own of last time. */
  const walking = (
    fair: Float32Array | undefined,
    own: Float32Array | undefined,
    sum: Float64Array,
  ): LocalHooks["correct"] => {
    const leans = fair !== undefined && own !== undefined && isSet(fair);
    return (gradient) => {
      for (let i = 0; i < size; i++) {
        const value = gradient[i] as number;
        sum[i] = (sum[i] as number) + value;
        if (leans) gradient[i] = value + gradientAlpha * ((fair[i] as number) - (own[i] as number));
      }
    };
  };
  const leaning = (fair: Float32Array | undefined): LocalHooks["correct"] => {
    if (fair === undefined || !isSet(fair)) return undefined;
    return (gradient) => {
      for (let i = 0; i < size; i++)
        gradient[i] = (1 - gradientAlpha) * (gradient[i] as number) + gradientAlpha * (fair[i] as number);
    };
  };
  return {
    auxiliary,
    async train(task) {
      const { parameters: start, auxiliary: received } = receivedState(task, model, auxiliary);
      const [fair, losses] = received;
      const aligns = alignmentsOf(switchAngle, losses);
      const sum = new Float64Array(fair === undefined ? 0 : size);
      const leansTo = aligns.gradients ? fair : undefined;
      const correct =
        fair === undefined
          ? undefined
          : fairGradient === "walked"
            ? walking(leansTo, task.local["gradient"], sum)
            : leaning(leansTo);
      let firstStep: Float32Array | undefined;
      const afterStep: LocalHooks["afterStep"] = (parameters, step) => {
        if (step === 0) firstStep = difference(parameters, start);
      };
      const hooks = {
        ...(correct === undefined ? {} : { correct }),
        ...(modelAlpha > 0 && aligns.models ? { afterStep } : {}),
      };
      const { parameters, steps, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start, hooks));
      const walked = difference(parameters, start);
      const sent = firstStep === undefined ? walked : blended(walked, firstStep, modelAlpha);
      if (fair === undefined) return { delta: sent, trainLoss, local: task.local };
      const here = fairGradient === "walked" ? undefined : await shardGradient(model, start, task.shard, task.signal);
      const gradient = here?.gradient ?? Float32Array.from(sum, (value) => value / steps);
      requireFinite(gradient, plan);
      const local = here === undefined ? { ...task.local, gradient } : task.local;
      const beside = [difference(gradient, fair)];
      if (losses !== undefined) {
        const loss = here?.loss ?? (await meanLoss(model, start, task.shard));
        requireFinite(Float32Array.of(loss), plan);
        beside.push(difference(lossMoments(loss), losses));
      }
      return { delta: joined(sent, ...beside), trainLoss, local };
    },
  };
}

/** Which alignments a round takes; neither where the angle is not known yet. */
function alignmentsOf(
  switchAngle: number | undefined,
  losses: Float32Array | undefined,
): { readonly gradients: boolean; readonly models: boolean } {
  if (switchAngle === undefined || losses === undefined) return { gradients: true, models: true };
  if (!isSet(losses)) return { gradients: false, models: false };
  const unfair = lossAngle(losses[0] as number, losses[1] as number) > switchAngle;
  return { gradients: unfair, models: !unfair };
}

function isSet(values: Float32Array): boolean {
  return values.some((value) => value !== 0);
}

/** (1−α)·a + α·b. */
function blended(a: Float32Array, b: Float32Array, alpha: number): Float32Array {
  return a.map((value, i) => (1 - alpha) * value + alpha * (b[i] as number) + 0);
}
