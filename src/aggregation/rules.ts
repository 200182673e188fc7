// SPDX-License-Identifier: Apache-2.0
import type { Hex } from "../protocol/bytes.ts";
import type { AggregationConfig, PreAggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { ruleId } from "../protocol/recipe.ts";
import { bucketing } from "./bucketing.ts";
import { bulyan } from "./bulyan.ts";
import { byzFed } from "./byzFed.ts";
import { centredClipping } from "./centredClipping.ts";
import { coordinateMedian } from "./coordinateMedian.ts";
import { geometricMedian } from "./geometricMedian.ts";
import { krum } from "./krum.ts";
import { mixedBefore, type PreAggregation } from "./mixing.ts";
import { multiKrum } from "./multiKrum.ts";
import { nearestNeighbourMixing } from "./nearestNeighbourMixing.ts";
import type { AggregationRule } from "./rule.ts";
import { trimmedMean } from "./trimmedMean.ts";
import { weightedMean } from "./weightedMean.ts";

/** A run's rule behind the steps that come before it. */
export function ruleOf(config: AggregationConfig): AggregationRule {
  // The step named first meets the updates, so it is the outermost.
  return (config.before ?? []).reduceRight((rule, step) => mixedBefore(rule, stepOf(step)), plainRuleOf(config));
}

/** How a run's rule is known on chain: its name, and the least number of updates that it is defined for with these parameters. */
export function ruleIdOf(config: AggregationConfig): Hex {
  return ruleId(config.rule, ruleOf(config).minUpdates);
}

/** Byzantine updates that leave honest ones in the majority: ⌈K/2⌉ − 1. */
const minority = (updates: number): number => Math.floor((updates - 1) / 2);

/** All rules. One row each; a new rule is a file, a row, the shared suite and hand-worked cases. */
function plainRuleOf(config: AggregationConfig): AggregationRule {
  switch (config.rule) {
    case "weighted-mean":
      return { minUpdates: 1, tolerates: () => 0, coordinateWise: false, usesGram: false, decide: weightedMean };
    case "coordinate-median":
      return { minUpdates: 3, tolerates: minority, coordinateWise: true, usesGram: false, decide: coordinateMedian };
    case "trimmed-mean": {
      const { trim } = config.parameters;
      return {
        minUpdates: 2 * trim + 1,
        tolerates: () => trim,
        coordinateWise: true,
        usesGram: false,
        decide: trimmedMean(config.parameters),
      };
    }
    case "geometric-median":
      return { minUpdates: 3, tolerates: minority, coordinateWise: false, usesGram: true, decide: geometricMedian };
    case "krum": {
      const { byzantine } = config.parameters;
      return {
        minUpdates: 2 * byzantine + 3,
        tolerates: () => byzantine,
        coordinateWise: false,
        usesGram: true,
        decide: krum(config.parameters),
      };
    }
    case "multi-krum": {
      const { byzantine, selected = 1 } = config.parameters;
      return {
        minUpdates: Math.max(2 * byzantine + 3, selected + byzantine),
        tolerates: () => byzantine,
        coordinateWise: false,
        usesGram: true,
        decide: multiKrum(config.parameters),
      };
    }
    case "bulyan": {
      const { byzantine } = config.parameters;
      return {
        minUpdates: 4 * byzantine + 3,
        tolerates: () => byzantine,
        coordinateWise: true,
        usesGram: true,
        decide: bulyan(config.parameters),
      };
    }
    case "byzfed":
      return {
        minUpdates: 4,
        tolerates: () => undefined,
        coordinateWise: false,
        usesGram: true,
        decide: byzFed(config.parameters),
      };
    case "centred-clipping":
      return {
        minUpdates: 1,
        tolerates: () => undefined,
        coordinateWise: false,
        usesGram: true,
        decide: centredClipping(config.parameters),
      };
  }
}

function stepOf(config: PreAggregationConfig): PreAggregation {
  return config.step === "bucketing" ? bucketing(config) : nearestNeighbourMixing(config);
}
