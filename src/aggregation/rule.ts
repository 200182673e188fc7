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
  /** The integer by which mixed updates come multiplied, so that their inner products stay integers (mixing.ts); 1 if it is left out. */
  readonly scaledBy?: number;
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
   * @param room for the result, see `WideKernels`.
   */
  readonly combine: (
    kernels: WideKernels,
    updates: readonly UpdateChunk[],
    room?: Float64Array,
  ) => Promise<Float64Array>;
}

export type RuleDecision = WeighedUpdates | CoordinateResult;

/** A rule with its parameters, and what a run must know to choose it. Formula and paper are in the rule's file. */
export interface AggregationRule {
  /** Least K the rule is defined for; a run's minAccepted is at least this. Fewer updates are refused with TOO_FEW_UPDATES. */
  readonly minUpdates: number;
  /** f_m, the Byzantine updates among K ≥ minUpdates that leave the published bound intact; undefined where none is published. */
  readonly tolerates: (updates: number) => number | undefined;
  /** Whether the result is decided per coordinate, so that scores use equal weights. */
  readonly coordinateWise: boolean;
  /** Whether it decides from inner products, which cost a pass over all updates. */
  readonly usesGram: boolean;
  /** Whether combining forms a new vector from each update, and so takes memory of its own (mixing before a coordinate-wise rule). */
  readonly formsVectors?: boolean;
  /** A small program on K (or K×K) numbers; what touches d coordinates is left to the kernels. */
  readonly decide: (input: RuleInput) => RuleDecision;
}
