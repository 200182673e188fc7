// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import { type NeighbourRelation, type PrivacyUnit, requireSameRelation } from "./neighbours.ts";
import {
  composeRdp,
  type Epsilon,
  epsilonOf,
  fixedSizeGaussian,
  ORDERS,
  poissonGaussian,
  type RdpCurve,
  repeatRdp,
} from "./rdp.ts";

/** What is revealed in one round by one mechanism. */
export interface Release {
  readonly what: "update" | "loss";
  /** q as privacy may count it: 1 where the cohort is published. */
  readonly samplingRate: number;
  /** σ in units of what one neighbour moves: σ/C for add-remove, σ/(2C) for replace-one. */
  readonly noiseMultiplier: number;
  /** Times in the round: 1, or the steps of DP-SGD. */
  readonly steps: number;
}

/** What a round costs. */
export interface Charge {
  /** Chain id and address of the TrainingLedger (`federationName`): whose run this is, since every ledger counts runs from 1. */
  readonly federation: string;
  readonly run: bigint;
  readonly round: number;
  readonly unit: PrivacyUnit;
  readonly relation: NeighbourRelation;
  /** σ of the noise on the update, model units. */
  readonly sigma: number;
  /** C, model units. */
  readonly clipNorm: number;
  readonly releases: readonly Release[];
}

/** How a ledger calls the contracts that a run is of. */
export function federationName(chainId: bigint, trainingLedger: string): string {
  return `${chainId}:${trainingLedger.toLowerCase()}`;
}

/** What a member may spend, over all its runs. */
export interface PrivacyBudget {
  readonly epsilon: number;
  readonly delta: number;
}

/** Guarantees that may be added up: of the same unit under the same relation. */
export type Account = Pick<Charge, "unit" | "relation">;

/** ε of charges together, at δ. @throws ConfigError when one is of another account. */
export function epsilonOfCharges(
  charges: readonly Charge[],
  account: Account,
  delta: number,
): Epsilon<NeighbourRelation> {
  // Rounds are mostly alike: one curve for all that are.
  const alike = new Map<string, Release>();
  for (const charge of charges) {
    if (charge.unit !== account.unit) {
      throw new ConfigError(
        `Privacy of a ${charge.unit} cannot be combined with privacy of a ${account.unit}; account for each by itself.`,
      );
    }
    requireSameRelation(account.relation, charge.relation);
    for (const release of charge.releases) {
      const name = `${release.samplingRate} ${release.noiseMultiplier}`;
      alike.set(name, { ...release, steps: release.steps + (alike.get(name)?.steps ?? 0) });
    }
  }
  const nothing: RdpCurve<NeighbourRelation> = { relation: account.relation, values: ORDERS.map(() => 0) };
  const curves = [...alike.values()].map((release) => curveOf(account.relation, release));
  return epsilonOf(composeRdp(nothing, ...curves), delta);
}

function curveOf(
  relation: NeighbourRelation,
  { samplingRate, noiseMultiplier, steps }: Release,
): RdpCurve<NeighbourRelation> {
  const once =
    relation === "add-remove"
      ? poissonGaussian(samplingRate, noiseMultiplier)
      : fixedSizeGaussian(samplingRate, noiseMultiplier);
  return repeatRdp<NeighbourRelation>(once, steps);
}
