// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { exactDistances } from "./gramSpace.ts";
import { lowestScored } from "./krum.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";

export type MultiKrumParameters = Extract<AggregationConfig, { rule: "multi-krum" }>["parameters"];

/**
 * Multi-Krum: the mean of the m updates with the lowest Krum scores (see krum.ts). f = `byzantine`; m = `selected`, K−f if it is left out.
 *
 * Tolerates f in Krum's sense while m ≤ K−f−2, where the published proof ends; with the usual m = K−f it drops the f updates that lie farthest
 * out. Needs K ≥ 2f+3 and m ≤ K−f.
 *
 * Paper: Blanchard et al. 2017, "Machine learning with adversaries: Byzantine tolerant gradient descent".
 */
export function multiKrum({ byzantine, selected }: MultiKrumParameters) {
  return ({ gram }: RuleInput): WeighedUpdates =>
    lowestScored(gram.length, byzantine, selected ?? gram.length - byzantine, exactDistances(gram));
}
