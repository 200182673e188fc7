// SPDX-License-Identifier: Apache-2.0
import type { PreAggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { exactDistances } from "./gramSpace.ts";
import { ascending } from "./krum.ts";
import type { PreAggregation } from "./mixing.ts";

export type NearestNeighbourMixingParameters = Extract<PreAggregationConfig, { step: "nearest-neighbour-mixing" }>;

/**
 * Nearest-neighbour mixing: each Δ_i is replaced by the mean of its K−f nearest updates, itself first among them; ties to the lowest id.
 * f = `byzantine`.
 *
 * Honest updates move towards each other, so what a rule tolerates it tolerates better where members' data differ; a Byzantine one keeps at
 * most its own place. Tolerates f if the rule does. Needs K ≥ 2f+1.
 *
 * Paper: Allouah et al. 2023, "Fixing by mixing: a recipe for optimal Byzantine ML under heterogeneity".
 */
export function nearestNeighbourMixing({ byzantine }: NearestNeighbourMixingParameters): PreAggregation {
  return {
    usesGram: true,
    minUpdates: (vectors) => Math.max(vectors, 2 * byzantine + 1),
    tolerates: (updates, ofRule) => {
      const tolerated = ofRule(updates);
      return tolerated === undefined ? undefined : Math.min(byzantine, tolerated);
    },
    matrix: ({ gram }) => {
      const nearest = gram.length - byzantine;
      const rows = exactDistances(gram).map((row, i) => {
        const others = row
          .map((_, k) => k)
          .filter((k) => k !== i)
          .sort((j, k) => ascending(row[j] as bigint, row[k] as bigint) || j - k);
        const parts = new Array<number>(gram.length).fill(0);
        for (const k of [i, ...others].slice(0, nearest)) parts[k] = 1;
        return parts;
      });
      return { rows, rowSum: nearest };
    },
  };
}
