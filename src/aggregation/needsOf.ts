// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import type { RuleNeeds } from "./rule.ts";
import { ruleOf } from "./rules.ts";

/** The facts that a run's rule decides from, beside updates, samples and reputations; {} for most rules. */
export function needsOf(config: AggregationConfig): RuleNeeds {
  return ruleOf(config).needs ?? {};
}

/**
 * Why a rule cannot be the rule of a run on chain, as a sentence; undefined for rules that can. The laboratory runs them all.
 *
 * @param given what a run gives beside reported losses, which every run has.
 */
export function laboratoryOnly(config: AggregationConfig, given: RuleNeeds = {}): string | undefined {
  if (config.rule === "fedatt" && config.parameters.attention === "distance")
    return "fedatt with attention by distance gives most weight to the longest update, so one attacker takes the model over; choose cosine.";
  const missing = Object.keys(needsOf(config)).filter((fact) => fact !== "losses" && !(fact in given));
  if (missing.length === 0) return undefined;
  return `${config.rule} decides from ${missing.join(" and ")}, which neither chain nor artifacts give; it is a rule for the laboratory.`;
}

/**
 * Whether weights depend on n_i, in any round. Then one member's pull is not bounded by its clip norm, and with differential privacy the counts
 * would have to be protected too.
 */
export function weighsBySamples(config: AggregationConfig): boolean {
  switch (config.rule) {
    case "weighted-mean":
    case "fairfed":
    // Its first round has no contributions to weigh by.
    case "spfl":
      return true;
    case "byzfed":
      return config.parameters.sizeWeighted;
    case "mean-of-senders":
    case "fedeba":
    case "fair-gradient":
    case "fedbuff":
      return config.parameters.prior === "samples";
    default:
      return false;
  }
}

/** Whether a member gains weight without bound by reporting a false loss: a choice for members that trust each other. */
export function trustsLosses(config: AggregationConfig): boolean {
  switch (config.rule) {
    case "fedeba":
    case "fair-gradient":
    case "q-fedavg":
      return config.parameters.capMads === undefined;
    case "fairfed":
      return true;
    case "spfl":
      return config.parameters.fair !== undefined && config.parameters.fair.capMads === undefined;
    default:
      return false;
  }
}
