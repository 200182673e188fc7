// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../protocol/dataset.ts";
import type { Random } from "../protocol/random.ts";
import { DataError } from "./errors.ts";
import { ascending, checkParts, type Deal, samplesByLabel } from "./hands.ts";

/**
 * Label imbalance: every member has equally many samples, of which at least the share `ratio` is of one class, its dominant class; the rest is
 * dealt evenly from what is left. Dominant classes go round: member m has the (m mod C)-th in a random order of the classes that occur.
 *
 * The SPFL setup names "label-imbalance ratio .25–.45" without a formula; this is our reading of it.
 *
 * @param ratio in [0, 1]; 0 is an even deal.
 * @throws DataError CANNOT_DEAL when a class has too few samples for the members it dominates.
 */
export function dealLabelImbalance(dataset: Dataset, members: number, ratio: number, random: Random): Deal {
  checkParts(dataset, members);
  if (!(ratio >= 0 && ratio <= 1))
    throw new DataError("CANNOT_DEAL", `A label-imbalance ratio lies in [0, 1]; got ${ratio}.`, { ratio });
  const pools = samplesByLabel(dataset, random);
  const dominant = random.shuffled([...pools.keys()].filter((label) => (pools[label] as number[]).length > 0));
  const quota = (m: number): number =>
    Math.floor(((m + 1) * dataset.size) / members) - Math.floor((m * dataset.size) / members);
  const hands = Array.from({ length: members }, (_, m) => {
    const label = dominant[m % dominant.length] as number;
    const pool = pools[label] as number[];
    const wanted = Math.ceil(ratio * quota(m));
    if (pool.length < wanted)
      throw new DataError(
        "CANNOT_DEAL",
        `Class ${label} has too few samples left for member ${m}: ${pool.length} of the ${wanted} that make up ${ratio} of its ${quota(m)}. Choose a smaller ratio, or balance the classes.`,
        { label, member: m, left: pool.length, wanted },
      );
    return pool.splice(0, wanted);
  });
  const rest = random.shuffled(pools.flat());
  let start = 0;
  return hands.map((hand, m) => {
    const end = start + quota(m) - hand.length;
    const whole = ascending([...hand, ...rest.slice(start, end)]);
    start = end;
    return whole;
  });
}
