// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe.ts";
import { byzFed } from "./byzFed.ts";
import { coordinateMedian } from "./coordinateMedian.ts";
import { geometricMedian } from "./geometricMedian.ts";
import type { RuleDecision, RuleInput } from "./rule.ts";
import { weightedMean } from "./weightedMean.ts";

/** A rule as a run names it, with what a run must know to choose it. Formula and paper are in the rule's file. */
export interface AggregationRule {
  /** Least K the rule is defined for; a run's minAccepted is at least this. Fewer updates are refused with TOO_FEW_UPDATES. */
  readonly minUpdates: number;
  /** f_m, the Byzantine updates among K that leave the published bound intact; undefined where none is published. */
  readonly tolerates: (updates: number) => number | undefined;
  /** Whether the result is decided per coordinate, so that scores use equal weights. */
  readonly coordinateWise: boolean;
  /** Whether it decides from inner products, which cost a pass over all updates. */
  readonly usesGram: boolean;
  /** A small program on K (or K×K) numbers; what touches d coordinates is left to the kernels. */
  readonly decide: (input: RuleInput) => RuleDecision;
}

/** Byzantine updates that leave honest ones in the majority: ⌈K/2⌉ − 1. */
const minority = (updates: number): number => Math.floor((updates - 1) / 2);

/** All rules. One row each; a new rule is a file, a row, the shared suite and hand-worked cases. */
export function ruleOf(config: AggregationConfig): AggregationRule {
  switch (config.rule) {
    case "weighted-mean":
      return { minUpdates: 1, tolerates: () => 0, coordinateWise: false, usesGram: false, decide: weightedMean };
    case "coordinate-median":
      return { minUpdates: 3, tolerates: minority, coordinateWise: true, usesGram: false, decide: coordinateMedian };
    case "geometric-median":
      return { minUpdates: 3, tolerates: minority, coordinateWise: false, usesGram: true, decide: geometricMedian };
    case "byzfed":
      return {
        minUpdates: 4,
        tolerates: () => undefined,
        coordinateWise: false,
        usesGram: true,
        decide: byzFed(config.parameters),
      };
  }
}
