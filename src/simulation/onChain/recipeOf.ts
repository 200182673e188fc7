// SPDX-License-Identifier: Apache-2.0
import { ruleOf } from "../../aggregation/rules.ts";
import { subset } from "../../data/subset.ts";
import { AGREED_ENGINE } from "../../learning/engines/agreed.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { REPUTATION_ONE } from "../../protocol/reputation.ts";
import type { RecipeDraft } from "../../round/prepareRun.ts";
import { cohortSize, type FederationConfig } from "../laboratory/cellConfig.ts";
import type { Federation } from "../laboratory/federation.ts";

/** Most samples that validators score on where a cell does not say how, so that scoring does not outweigh training. */
const MAX_HELD_OUT = 500;

/** The recipe of a cell: what a consortium would write to run it. */
export function recipeOf(federation: Federation, name: string): RecipeDraft {
  const { config, model, layout, bounds } = federation;
  const { training, client, aggregation, serverOptimiser, update } = config;
  return {
    version: 1,
    name,
    model: model.config,
    layout: layout.tensors.map((tensor) => ({
      name: tensor.name,
      shape: [...tensor.shape],
      fractionBits: tensor.fractionBits,
      group: tensor.group,
    })),
    training,
    ...(client === undefined ? {} : { client }),
    update: {
      codec: update.codec,
      maxCoordinate: bounds.maxCoordinate,
      maxNormSq: bounds.maxNormSq.toString(),
    },
    aggregation,
    ...(serverOptimiser === undefined ? {} : { serverOptimiser }),
    scoring: scoringOf(federation),
    criterion: { progress: 655, tolerance: 655, maxUpdateNorm: 0.5 },
  };
}

/** What the ledger holds of a cell's run beside the recipe. */
export function termsOf(config: FederationConfig) {
  const { rounds, members, reputationMemory } = config;
  return {
    rounds,
    // The closing round, and rounds to make up for some that fail.
    maxOpenings: rounds + 2 + (rounds >> 2),
    cohort: cohortSize(config),
    capacity: members <= 8 ? 8 : 32,
    minAccepted: leastAccepted(config),
    alphaQ16: Math.floor(reputationMemory * REPUTATION_ONE),
  };
}

/** Fewest updates among which a round's reported loss hides each (contracts/rounds/RunRules.sol). */
const LEAST_ACCEPTED = 3;

/** Updates that a round must accept. */
export function leastAccepted({ aggregation }: FederationConfig): number {
  return Math.max(LEAST_ACCEPTED, ruleOf(aggregation).minUpdates);
}

/**
 * What validators score on, published with the run: the cell's validation samples where the server keeps some, else the first of its test samples. Scores
 * decide rewards and not the model.
 */
export function heldOutOf({ config, validation, test }: Federation): Dataset {
  const samples = validation ?? test;
  if (samples.size <= MAX_HELD_OUT || config.scoring !== undefined) return samples;
  return subset(
    samples,
    Array.from({ length: MAX_HELD_OUT }, (_, i) => i),
  );
}

/** As the cell scores; else with one gradient a round, whatever the number of members. */
function scoringOf({ config: { scoring } }: Federation): RecipeDraft["scoring"] {
  const how =
    scoring === undefined
      ? { method: "in-run" as const, permutations: 2, truncation: 0 }
      : {
          permutations: scoring.permutations,
          truncation: scoring.truncation,
          ...methodOf(scoring.method),
          ...(scoring.coalitions === undefined ? {} : { coalitions: scoring.coalitions }),
        };
  return {
    mode: "exact",
    ...how,
    engine: { package: AGREED_ENGINE.package, version: AGREED_ENGINE.version, batchSize: 120 },
  };
}

/** As a recipe names it; the others are refused before anything starts. */
function methodOf(
  method: NonNullable<Federation["config"]["scoring"]>["method"],
): Pick<RecipeDraft["scoring"], "method"> {
  switch (method) {
    case "exact":
    case "gtg":
      return { method };
    case "in-run-1":
      return { method: "in-run" };
    case "in-run-2":
      return { method: "in-run-second-order" };
    default:
      return {};
  }
}
