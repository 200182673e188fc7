// SPDX-License-Identifier: Apache-2.0
import type { Hex } from "../protocol/bytes.ts";
import type { UpdateChunk } from "../protocol/updateChunk.ts";
import type { GramMatrix, WideKernels } from "../protocol/wideKernels.ts";
import type { VectorSource } from "./eachSpan.ts";

/**
 * Facts about a round beside its updates and the chain's reputations. A rule that needs one and does not get it refuses. All lists are aligned
 * with the updates. Losses are no entry here: they stand in the opened seals of the updates themselves.
 */
export interface RoundFacts {
  /** Each member's contribution before the round, summed or averaged over rounds as the caller says; integers in 2^-20 nats, undefined: none yet. */
  readonly contributions?: readonly (number | undefined)[];
  /** Accuracy of the received model on the member's shard, as reported; integers in 2^-16. */
  readonly accuracies?: readonly number[];
  /** How many rounds ago the head was made that an update was computed from; 0: this round's own. */
  readonly staleness?: readonly number[];
  /** What the rule gave back as `memberState` after a member's last round (FairFed: ω̄ in 2^-32); undefined: none yet. */
  readonly memberState?: readonly (number | undefined)[];
  /** A trusted update on the run's grid, which the server learned from data of its own (FLTrust). */
  readonly root?: VectorSource;
}

/** Facts that a rule decides from, and so reasons why a run cannot have it (needsOf.ts). */
export interface RuleNeeds extends Readonly<Partial<Record<keyof RoundFacts, true>>> {
  readonly losses?: true;
}

/** A vector that whole updates are held against: the trusted root, or twice the updates' coordinate-wise median, which is all integers. */
export type Anchor = "root" | "coordinate-median";

/** Exact inner products within one tensor group, units 2^-2F_max. */
export interface GroupProducts {
  /** ⟨Δ_i, Δ_i⟩. */
  readonly norms: readonly bigint[];
  /** ⟨Δ_i, anchor⟩; 0 without an anchor. */
  readonly anchored: readonly bigint[];
  /** ⟨anchor, anchor⟩. */
  readonly anchorNorm: bigint;
}

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
  /** The same by tensor group, and against the anchor; empty for rules that do not measure groups (`measuresGroups`). */
  readonly groups: readonly GroupProducts[];
  /** Reported losses of the received model on each member's shard, uint32 in 2^-16 nats; empty for rules that do not need them. */
  readonly losses: readonly number[];
  /** What else is known; what the rule needs is there. */
  readonly facts: RoundFacts;
  /** F_max: what turns grid units into the lengths that a recipe's parameters are stated in. */
  readonly maxFractionBits: number;
  /** The integer by which mixed updates come multiplied, so that their inner products stay integers (mixing.ts); 1 if it is left out. */
  readonly scaledBy?: number;
  /** The round's beacon R_t, which nobody knew when the updates were committed: seeds whatever a rule draws. */
  readonly beacon: Hex;
}

/** One column of weights before rounding. */
export interface ColumnShares {
  /** Proportional to the weights, ≥ 0; positive for what is kept. */
  readonly shares: readonly bigint[];
  /** Share of the weight that no update gets, on the same scale: rules that shrink (clipping, staleness) move the model by less. */
  readonly unspent?: bigint;
}

/** A tensor group's weights. */
export interface GroupShares extends ColumnShares {
  /** What weighs in this group, where that is not all that is kept. Nothing: all is unspent, and the group does not move. */
  readonly kept?: readonly boolean[];
}

/** A rule that weighs whole updates: the model moves by Σ λ_k q_k, with the same λ for all tensor groups unless there are `columns`. */
export interface WeighedUpdates extends ColumnShares {
  readonly kind: "weights";
  /** The rule's decision, taken before weights are rounded. */
  readonly kept: readonly boolean[];
  /** One per tensor group, for rules that weigh an update differently in each; `shares` then stands for the whole model. */
  readonly columns?: readonly GroupShares[];
  /** See `RoundFacts.memberState`. */
  readonly memberState?: readonly number[];
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
  /** Whether it decides from inner products within tensor groups; without `usesGram` from norms there alone, which cost K products for K². */
  readonly measuresGroups?: boolean;
  /** What it holds updates against; needs `measuresGroups` and `usesGram`. */
  readonly anchor?: Anchor;
  /** Facts without which it refuses. */
  readonly needs?: RuleNeeds;
  /** Whether combining forms a new vector from each update, and so takes memory of its own (mixing before a coordinate-wise rule). */
  readonly formsVectors?: boolean;
  /** A small program on K (or K×K) numbers; what touches d coordinates is left to the kernels. */
  readonly decide: (input: RuleInput) => RuleDecision;
}
