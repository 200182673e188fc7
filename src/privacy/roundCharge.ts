// SPDX-License-Identifier: Apache-2.0
import type { PrivacyConfig } from "../protocol/recipe/privacyConfig.ts";
import type { Charge, Release } from "./charge.ts";
import { type CohortSampling, effectiveSampling, noiseOf } from "./deployment.ts";
import type { NeighbourRelation } from "./neighbours.ts";
import { recordSampling } from "./recordLevel.ts";

/** What a charge depends on beside the recipe. */
export interface RoundFacts {
  readonly federation: string;
  readonly run: bigint;
  readonly round: number;
  /** K. */
  readonly cohort: number;
  /** The member's samples and what it does with them, for records. */
  readonly samples: number;
  readonly batchSize: number;
  readonly localSteps: number;
  /** Takes the place of the recipe's C where that is adapted. */
  readonly clipNorm?: number;
  /** How the cohort came to be; on chain, published. */
  readonly sampling: CohortSampling;
  /** Whether the round closes the run: then only the loss is released. */
  readonly closing?: boolean;
}

/**
 * What a round of a private run costs a member, as its ledger writes it down: in local runs a single vector is released (replace-one, S = 2C, q = 1);
 * of sums, what the sampling allows; records are sampled by the member itself, secretly. A closing round releases the loss alone.
 */
export function roundCharge(config: Exclude<PrivacyConfig, { mode: "none" }>, facts: RoundFacts): Charge {
  const { federation, run, round, clipNorm = config.clipNorm, sampling, closing = false } = facts;
  const { noiseMultiplier } = config;
  const loss: Release[] =
    "loss" in config ? [{ what: "loss", samplingRate: 1, noiseMultiplier: config.loss.noiseMultiplier, steps: 1 }] : [];
  if (config.mode === "record") {
    // A sample that is there or not changes which batches there are; its loss is one of n, and B bounds all of them together.
    const update: Release = {
      what: "update",
      samplingRate: recordSampling(facts),
      noiseMultiplier,
      steps: facts.localSteps,
    };
    const sigma = noiseMultiplier * clipNorm;
    const releases = closing ? loss : [update, ...loss];
    return { federation, run, round, unit: "record", relation: "add-remove", sigma, clipNorm, releases };
  }
  const noise = noiseOf({
    mode: config.mode,
    clipNorm,
    noiseMultiplier,
    cohort: facts.cohort,
    ...(config.mode === "distributed" ? { colluders: config.colluders } : {}),
  });
  const replaced = config.mode === "local" || sampling.kind === "fixed-size";
  const relation: NeighbourRelation = replaced ? "replace-one" : "add-remove";
  const update: Release = {
    what: "update",
    samplingRate: config.mode === "local" ? 1 : effectiveSampling(sampling).rate,
    // Noise zC on a sum is z/2 for a client that is replaced.
    noiseMultiplier: config.mode !== "local" && replaced ? noiseMultiplier / 2 : noiseMultiplier,
    steps: 1,
  };
  const sigma = config.mode === "central" ? noise.server : noise.client;
  const releases = closing ? loss : [update, ...loss];
  return { federation, run, round, unit: "client", relation, sigma, clipNorm, releases };
}
