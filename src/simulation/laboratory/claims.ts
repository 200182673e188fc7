// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { ConfigError } from "../../protocol/errors.ts";
import { type CellResult, cellResultSchema } from "./cellResult.ts";
import { type Group, groupsOf, type Measure, spreadOf } from "./summary.ts";

/** Measures of a whole group that are not one of a result's own. */
const DERIVED = [
  "uplinkBytes",
  "uplinkShare",
  "failedRounds",
  "roundsToTarget",
  "timeToTarget",
  "trainingShare",
  "seconds",
] as const;
const FINAL = Object.keys(cellResultSchema.shape.final.shape) as Measure[];

const labels = z.record(z.string(), z.string());

/**
 * One sentence that the results confirm or not: a measure of one combination of choices, by itself, less that of another (`against`), or divided by it
 * (`ratioTo`), averaged over seeds, lies between `min` and `max`. Labels that are left out are those of every combination: the claim must hold for each.
 */
export const claimSchema = z
  .strictObject({
    claim: z.string().min(1).max(300),
    /** A measure of every result (accuracy, clientStd, …), one of `DERIVED`, or a figure that a study gives. */
    measure: z.string().min(1).max(100),
    of: labels,
    against: labels.optional(),
    ratioTo: labels.optional(),
    min: z.number().optional(),
    max: z.number().optional(),
    /** For `roundsToTarget` and `timeToTarget`: the accuracy to be reached. */
    target: z.number().min(0).max(1).optional(),
  })
  .refine(({ min, max }) => min !== undefined || max !== undefined, "say `min`, `max` or both")
  .refine(
    ({ measure, target }) => (measure !== "roundsToTarget" && measure !== "timeToTarget") || target !== undefined,
    "say the `target` to be reached",
  )
  .refine(({ against, ratioTo }) => against === undefined || ratioTo === undefined, "`against` or `ratioTo`, not both");

export type Claim = z.infer<typeof claimSchema>;

/** A claim held against results. */
export interface JudgedClaim {
  readonly claim: string;
  readonly holds: boolean;
  /** The least favourable value among the combinations that the claim speaks of; null where something was not measured. */
  readonly value: number | null;
  readonly min?: number;
  readonly max?: number;
}

/** @throws ConfigError for a claim about combinations that the experiment does not have. */
export function judgeClaims(claims: readonly Claim[], results: readonly CellResult[]): JudgedClaim[] {
  const groups = groupsOf(results);
  return claims.map((claim) => judge(claim, groups));
}

function judge(claim: Claim, groups: readonly Group[]): JudgedClaim {
  const { min, max, of, against, ratioTo } = claim;
  const subjects = groups.filter((group) => matches(group, of));
  if (subjects.length === 0)
    throw new ConfigError(`The claim "${claim.claim}" speaks of ${JSON.stringify(of)}, which no result has.`);
  const values = subjects.map((subject) => {
    const value = averageOf(subject, claim);
    const other = against ?? ratioTo;
    if (other === undefined || value === undefined) return value;
    const opposite = groups.find((group) => sameBut(group, subject, of, other));
    if (opposite === undefined)
      throw new ConfigError(`The claim "${claim.claim}" compares with ${JSON.stringify(other)}, which no result has.`);
    const base = averageOf(opposite, claim);
    if (base === undefined) return undefined;
    return against === undefined ? value / base : value - base;
  });
  const within = (value: number | undefined): boolean =>
    value !== undefined && Number.isFinite(value) && value >= (min ?? -Infinity) && value <= (max ?? Infinity);
  const known = values.filter((value) => value !== undefined);
  const worst = known.length < values.length ? undefined : leastFavourable(known, min, max);
  return {
    claim: claim.claim,
    holds: values.every(within),
    value: worst === undefined || !Number.isFinite(worst) ? null : worst,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
  };
}

/** The value that lies farthest outside the bounds, or nearest to one of them. */
function leastFavourable(values: readonly number[], min = -Infinity, max = Infinity): number | undefined {
  const margin = (value: number): number => Math.min(value - min, max - value);
  return values.reduce<number | undefined>(
    (worst, value) => (worst === undefined || margin(value) < margin(worst) ? value : worst),
    undefined,
  );
}

/** A measure of a group, averaged over its seeds. */
function averageOf({ results, spread }: Group, { measure, target = 0 }: Claim): number | undefined {
  const average = (of: (result: CellResult) => number): number =>
    results.reduce((sum, result) => sum + of(result), 0) / results.length;
  switch (measure as (typeof DERIVED)[number]) {
    case "uplinkBytes":
      return average(({ traffic }) => traffic.uplinkBytes);
    case "uplinkShare":
      return average(({ traffic }) => traffic.uplinkBytes / traffic.denseUplinkBytes);
    case "failedRounds":
      return average(({ rounds }) => rounds.failed);
    case "trainingShare":
      return average(({ seconds }) => seconds.training / seconds.total);
    case "seconds":
      return average(({ seconds }) => seconds.total);
    case "roundsToTarget":
      return average((result) => firstAt(result, target)?.round ?? Infinity);
    case "timeToTarget":
      return average((result) => firstAt(result, target)?.time ?? Infinity);
    default: {
      const found = FINAL.includes(measure as Measure)
        ? spread(measure as Measure)
        : spreadOf(results.map(({ figures }) => figures[measure] ?? null));
      // A seed without a value, one that diverged, is no confirmation.
      return found?.n === results.length ? found.mean : undefined;
    }
  }
}

/** The first evaluation that reached an accuracy. */
function firstAt({ points }: CellResult, target: number): CellResult["points"][number] | undefined {
  return points.find(({ accuracy }) => accuracy !== null && accuracy >= target);
}

function matches({ labels: own }: Group, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([axis, choice]) => own[axis] === choice);
}

/** The group that `subject` is compared with: the other choices, and its own along every axis that neither names. */
function sameBut(
  group: Group,
  subject: Group,
  of: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(group.labels).every(
    ([axis, choice]) => choice === (other[axis] ?? (axis in of ? of[axis] : subject.labels[axis])),
  );
}
