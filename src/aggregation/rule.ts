// SPDX-License-Identifier: Apache-2.0
import type { ModelLayout } from "../protocol/layout.ts";
import type { WideKernels } from "./kernels/kernels.ts";

/** What a rule may look at. All lists are aligned: one entry per accepted update, ascending memberId. */
export interface RuleInput {
  /** q, grid integers. */
  readonly updates: readonly Int32Array[];
  /** n_i, as signed. */
  readonly samples: readonly number[];
  /** r before this round, Q16. */
  readonly reputations: readonly number[];
  /** α of the reputation rule, Q16. */
  readonly alphaQ16: number;
  readonly layout: ModelLayout;
  readonly kernels: WideKernels;
}

/** A rule that weighs whole updates: the model moves by Σ λ_k q_k. */
export interface WeighedUpdates {
  readonly kind: "weights";
  /** The rule's decision, taken before weights are rounded. */
  readonly kept: readonly boolean[];
  /** Proportional to the weights, ≥ 0; positive for what is kept. */
  readonly shares: readonly bigint[];
}

/** A rule that decides coordinate by coordinate: it keeps every update and its result is no weighted sum of them. */
export interface CoordinateResult {
  readonly kind: "coordinates";
  /** Movement of the master model, integers in units 2^-(F+16). */
  readonly increment: Float64Array;
}

export type RuleDecision = WeighedUpdates | CoordinateResult;
