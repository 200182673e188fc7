// SPDX-License-Identifier: Apache-2.0
import type { CellResult } from "./cellResult.ts";
import { type JudgedClaim, judgeClaims } from "./claims.ts";
import type { ExperimentConfig } from "./experimentConfig.ts";

/** One acceptance row, as `npm run experiments -- --check --json` prints it. */
export interface AcceptanceRow {
  readonly id: string;
  /** Whether every claim holds. */
  readonly accept: boolean;
  /** By claim, its value; null where something was not measured. */
  readonly figures: Readonly<Record<string, number | null>>;
  readonly seeds: number;
  readonly claims: readonly JudgedClaim[];
}

/** What the results of an experiment say to its claims. */
export function acceptanceOf(experiment: ExperimentConfig, results: readonly CellResult[]): AcceptanceRow {
  const claims = judgeClaims(experiment.claims, results);
  return {
    id: experiment.row ?? experiment.name,
    accept: claims.length > 0 && claims.every(({ holds }) => holds),
    figures: Object.fromEntries(
      claims.map(({ claim, value }) => [claim, value === null ? null : Number(value.toPrecision(5))]),
    ),
    seeds: experiment.seeds.length,
    claims,
  };
}
