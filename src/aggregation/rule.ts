// SPDX-License-Identifier: Apache-2.0
import type { Hex } from "../protocol/bytes.ts";
import type { UpdateChunk } from "../protocol/updateChunk.ts";
import type { GramMatrix, WideKernels } from "../protocol/wideKernels.ts";

/** What a rule decides from. All lists are aligned: one entry per accepted update, ascending memberId. */
export interface RuleInput {
  /** n_i, as signed. */
  readonly samples: readonly number[];
  /** r before this round, Q16. */
  readonly reputations: readonly number[];
  /** α of the reputation rule, Q16. */
  readonly alphaQ16: number;
  /** ⟨Δ_i, Δ_k⟩ in units 2^-2F_max; empty for rules that do not ask for it (`usesGram`). */
  readonly gram: GramMatrix;
  /** F_max: what turns grid units into the lengths that a recipe's parameters are stated in. */
  readonly maxFractionBits: number;
  /** The round's beacon R_t, which nobody knew when the updates were committed: seeds whatever a rule draws. */
  readonly beacon: Hex;
}

/** A rule that weighs whole updates: the model moves by Σ λ_k q_k. */
export interface WeighedUpdates {
  readonly kind: "weights";
  /** The rule's decision, taken before weights are rounded. */
  readonly kept: readonly boolean[];
  /** Proportional to the weights, ≥ 0; positive for what is kept. */
  readonly shares: readonly bigint[];
  /** Share of the weight that no update gets, on the same scale: rules that shrink (clipping, staleness) move the model by less. */
  readonly unspent?: bigint;
}

/** A rule whose result is decided coordinate by coordinate and is no weighted sum of updates. */
export interface CoordinateResult {
  readonly kind: "coordinates";
  /** What takes part; all of them unless the rule selects first (Bulyan). */
  readonly kept: readonly boolean[];
  /**
   * Movement of the master model at the same coordinates of the *kept* updates, integers in units 2^-(F+16).
   *
   * @param updates chunks of the kept updates alone, ascending memberId.
   */
  readonly combine: (kernels: WideKernels, updates: readonly UpdateChunk[]) => Promise<Float64Array>;
}

export type RuleDecision = WeighedUpdates | CoordinateResult;
