// SPDX-License-Identifier: Apache-2.0

import type { Dataset } from "../protocol/dataset.ts";
import { exp } from "../protocol/math.ts";
import type { Random } from "../protocol/random.ts";
import { DataError } from "./errors.ts";
import { ascending, checkParts, type Deal } from "./hands.ts";

/**
 * Quantity skew: labels are spread evenly, but sizes are not. Every member gets `minSamples`; the others go by shares that are log-normal,
 * exp(σ z) with z ~ N(0, 1).
 *
 * @throws DataError CANNOT_DEAL when the minimum alone takes more samples than there are.
 */
export function dealQuantity(
  dataset: Dataset,
  members: number,
  { sigma, minSamples }: { readonly sigma: number; readonly minSamples: number },
  random: Random,
): Deal {
  checkParts(dataset, members);
  const free = dataset.size - members * minSamples;
  if (!(Number.isInteger(minSamples) && minSamples >= 0 && free >= 0))
    throw new DataError(
      "CANNOT_DEAL",
      `${members} members of at least ${minSamples} samples need ${members * minSamples}; there are ${dataset.size}.`,
      { members, minSamples, size: dataset.size },
    );
  const weights = Array.from({ length: members }, () => exp(sigma * random.normal()));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const order = random.permutation(dataset.size);
  let [start, cumulative] = [0, 0];
  return weights.map((weight, m) => {
    cumulative += weight;
    // The last member takes the rest: shares sum to 1 only up to rounding.
    const end =
      m === members - 1 ? dataset.size : (m + 1) * minSamples + Math.min(free, Math.floor((cumulative / total) * free));
    const hand = ascending(order.slice(start, end));
    start = end;
    return hand;
  });
}
