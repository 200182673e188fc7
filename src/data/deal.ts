// SPDX-License-Identifier: Apache-2.0

/**
 * Dealing one dataset to many members, for demos and experiments: evenly, by label shards, or by Dirichlet shares.
 * Every sample goes to exactly one member; equal seeds deal equally.
 */

import type { Dataset } from "../protocol/dataset.ts";
import type { Random } from "../protocol/random.ts";
import { DataError } from "./errors.ts";
import { ascending, checkParts, cutEvenly, type Deal, samplesByLabel } from "./hands.ts";
import { subset } from "./subset.ts";

export type DealPolicy =
  | { readonly kind: "iid" }
  | { readonly kind: "shards"; readonly shardsPerMember: number }
  | { readonly kind: "dirichlet"; readonly alpha: number; readonly minSamples?: number };

/** Fewest samples a member of a Dirichlet deal gets, unless the policy says otherwise. */
const DEFAULT_MIN_SAMPLES = 10;
const MAX_ATTEMPTS = 10_000;

/** Deals by the policy and copies out each member's dataset. */
export function deal(dataset: Dataset, members: number, policy: DealPolicy, random: Random): readonly Dataset[] {
  return dealIndices(dataset, members, policy, random).map((indices) => subset(dataset, indices));
}

function dealIndices(dataset: Dataset, members: number, policy: DealPolicy, random: Random): Deal {
  switch (policy.kind) {
    case "iid":
      return dealIid(dataset, members, random);
    case "shards":
      return dealShards(dataset, members, policy.shardsPerMember, random);
    case "dirichlet":
      return dealDirichlet(dataset, members, policy, random);
  }
}

/** A random order, cut into parts whose sizes differ by at most one. */
export function dealIid(dataset: Dataset, members: number, random: Random): Deal {
  checkParts(dataset, members);
  return cutEvenly(random.permutation(dataset.size), members).map(ascending);
}

/**
 * Label shards (McMahan et al. 2017): samples ordered by label (within a label at random), cut into members · c even
 * shards, c of them to each member at random, so that most members see about c labels.
 */
export function dealShards(dataset: Dataset, members: number, shardsPerMember: number, random: Random): Deal {
  if (!Number.isInteger(shardsPerMember) || shardsPerMember < 1) {
    throw new DataError("CANNOT_DEAL", `Each member gets a positive whole number of shards; got ${shardsPerMember}.`, {
      shardsPerMember,
    });
  }
  checkParts(dataset, members * shardsPerMember);
  const byLabel = samplesByLabel(dataset, random).flat();
  const shards = random.shuffled(cutEvenly(byLabel, members * shardsPerMember));
  return Array.from({ length: members }, (_, m) =>
    ascending(shards.slice(m * shardsPerMember, (m + 1) * shardsPerMember).flat()),
  );
}

/**
 * Label skew (Hsu et al. 2019): of every class, member m gets the share p_m of a fresh draw p ~ Dirichlet(α, …, α). Small α
 * means few members hold most of a class. Deals that leave a member with fewer than `minSamples` are drawn again.
 *
 * @throws DataError CANNOT_DEAL when no deal of 10 000 gave every member that many.
 */
export function dealDirichlet(
  dataset: Dataset,
  members: number,
  { alpha, minSamples = DEFAULT_MIN_SAMPLES }: { readonly alpha: number; readonly minSamples?: number },
  random: Random,
): Deal {
  checkParts(dataset, members);
  const classes = samplesByLabel(dataset, random);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const hands: number[][] = Array.from({ length: members }, () => []);
    for (const samples of classes) {
      const shares = random.dirichlet(alpha, members);
      let cumulative = 0;
      let start = 0;
      for (const [m, hand] of hands.entries()) {
        cumulative += shares[m] as number;
        // The last member takes the rest: shares sum to 1 only up to rounding.
        const end =
          m === members - 1 ? samples.length : Math.min(samples.length, Math.floor(cumulative * samples.length));
        hand.push(...samples.slice(start, end));
        start = end;
      }
    }
    if (hands.every((hand) => hand.length >= minSamples)) return hands.map(ascending);
  }
  throw new DataError(
    "CANNOT_DEAL",
    `No Dirichlet(${alpha}) deal of ${dataset.size} samples gave each of ${members} members at least ${minSamples}, in ${MAX_ATTEMPTS} attempts. Choose a larger alpha, fewer members or a smaller minimum.`,
    { alpha, size: dataset.size, members, minSamples },
  );
}

/**
 * A member's own test samples, on which its client accuracy is measured: ⌈share · n⌉ chosen uniformly, at most n − 1. Both parts keep
 * the order of the dataset.
 *
 * @param share of test samples, in (0, 1); 0.2 for the usual 80/20.
 * @throws DataError CANNOT_DEAL for a member with fewer than two samples.
 */
export function splitLocally(
  dataset: Dataset,
  share: number,
  random: Random,
): { readonly train: Dataset; readonly test: Dataset } {
  if (dataset.size < 2 || !(share > 0 && share < 1))
    throw new DataError(
      "CANNOT_DEAL",
      `A share of ${share} of ${dataset.size} samples leaves training or testing without any. Give every member at least two.`,
      { size: dataset.size, share },
    );
  const count = Math.min(Math.ceil(share * dataset.size), dataset.size - 1);
  const order = random.permutation(dataset.size);
  return {
    test: subset(dataset, ascending(order.slice(0, count))),
    train: subset(dataset, ascending(order.slice(count))),
  };
}
