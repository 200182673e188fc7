// SPDX-License-Identifier: Apache-2.0
import type { Hex } from "../protocol/bytes.ts";
import type { AggregationConfig, PreAggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { ruleId } from "../protocol/recipe.ts";
import { bucketing } from "./bucketing.ts";
import { bulyan } from "./bulyan.ts";
import { byzFed } from "./byzFed.ts";
import { centredClipping } from "./centredClipping.ts";
import { coordinateMedian } from "./coordinateMedian.ts";
import { fairFed } from "./fairFed.ts";
import { fairGradient } from "./fairGradient.ts";
import { fedAsync } from "./fedAsync.ts";
import { fedAtt } from "./fedAtt.ts";
import { fedBuff } from "./fedBuff.ts";
import { fedEba } from "./fedEba.ts";
import { withoutCopies } from "./findCopies.ts";
import { flTrust } from "./flTrust.ts";
import { geometricMedian } from "./geometricMedian.ts";
import { krum } from "./krum.ts";
import { meanOfSenders } from "./meanOfSenders.ts";
import { mixedBefore, type PreAggregation } from "./mixing.ts";
import { multiKrum } from "./multiKrum.ts";
import { nearestNeighbourMixing } from "./nearestNeighbourMixing.ts";
import { qFedAvg } from "./qFedAvg.ts";
import type { AggregationRule, RuleInput, RuleNeeds, WeighedUpdates } from "./rule.ts";
import { spfl } from "./spfl.ts";
import { trimmedMean } from "./trimmedMean.ts";
import { uniformMean } from "./uniformMean.ts";
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
      return weighing(weightedMean);
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
    case "uniform-mean":
      return weighing(uniformMean);
    case "mean-of-senders":
      return { ...weighing(meanOfSenders(config.parameters)), measuresGroups: true };
    case "fltrust":
      return {
        ...weighing(flTrust, { root: true }),
        tolerates: () => undefined,
        usesGram: true,
        measuresGroups: true,
        anchor: "root",
      };
    case "fedatt":
      return {
        ...weighing(fedAtt(config.parameters)),
        usesGram: true,
        measuresGroups: true,
        ...(config.parameters.attention === "cosine" ? { minUpdates: 3, anchor: "coordinate-median" } : {}),
      };
    case "fedeba":
      return weighing(fedEba(config.parameters), { losses: true });
    case "fair-gradient":
      return weighing(fairGradient(config.parameters), { losses: true });
    case "q-fedavg":
      return { ...weighing(qFedAvg(config.parameters), { losses: true }), usesGram: true };
    case "fairfed":
      return weighing(fairFed(config.parameters), {
        ...(config.parameters.metric === "loss" ? { losses: true } : { accuracies: true }),
        memberState: true,
      });
    case "spfl": {
      const { audit, fair } = config.parameters;
      return {
        ...weighing(spfl(config.parameters), { contributions: true, ...(fair === undefined ? {} : { losses: true }) }),
        minUpdates: audit === undefined ? 1 : 4,
        tolerates: () => (audit === undefined ? 0 : undefined),
        usesGram: audit !== undefined,
      };
    }
    case "fedbuff":
      return weighing(fedBuff(config.parameters), { staleness: true });
    case "fedasync":
      return weighing(fedAsync(config.parameters), { staleness: true });
  }
}

/** A rule that weighs whole updates from what is known of their members and tolerates no Byzantine one. */
function weighing(decide: (input: RuleInput) => WeighedUpdates, needs?: RuleNeeds): AggregationRule {
  const plain = { minUpdates: 1, tolerates: () => 0, coordinateWise: false, usesGram: false, decide };
  return needs === undefined ? plain : { ...plain, needs };
}

function stepOf(config: PreAggregationConfig): PreAggregation {
  switch (config.step) {
    case "bucketing":
      return bucketing(config);
    case "nearest-neighbour-mixing":
      return nearestNeighbourMixing(config);
    case "without-copies":
      return withoutCopies();
  }
}
