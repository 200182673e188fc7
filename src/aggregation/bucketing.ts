// SPDX-License-Identifier: Apache-2.0
import { fromHex } from "../protocol/bytes.ts";
import { keyedRandom } from "../protocol/random.ts";
import type { PreAggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import type { PreAggregation } from "./mixing.ts";

export type BucketingParameters = Extract<PreAggregationConfig, { step: "bucketing" }>;

/**
 * Bucketing: a random order of the K updates is cut into ⌈K/s⌉ buckets of s = `size`, the last perhaps smaller, and each bucket becomes one
 * vector, its mean. The order is the permutation of the stream keyed by the round's beacon and "bucketing": nobody knew it when committing.
 *
 * Honest means vary less than updates do, at the price that one Byzantine update spoils its whole bucket: of K updates so many may be Byzantine
 * as the rule tolerates among ⌈K/s⌉. Needs K ≥ s(m−1)+1 where the rule needs m.
 *
 * Paper: Karimireddy, He, Jaggi 2022, "Byzantine-robust learning on heterogeneous datasets via bucketing".
 */
export function bucketing({ size }: BucketingParameters): PreAggregation {
  return {
    usesGram: false,
    minUpdates: (vectors) => size * (vectors - 1) + 1,
    tolerates: (updates, ofRule) => ofRule(Math.ceil(updates / size)),
    matrix: ({ samples, beacon }) => {
      const count = samples.length;
      const order = keyedRandom(fromHex(beacon, 32), "bucketing").permutation(count);
      const rest = count % size;
      // The least integer that a whole bucket and the last one both divide: rows have equal sums, though their parts differ.
      const rowSum = rest === 0 || count < size ? Math.min(size, count) : leastCommonMultiple(size, rest);
      const rows = Array.from({ length: Math.ceil(count / size) }, (_, b) => {
        const bucket = order.slice(b * size, (b + 1) * size);
        const parts = new Array<number>(count).fill(0);
        for (const k of bucket) parts[k] = rowSum / bucket.length;
        return parts;
      });
      return { rows, rowSum };
    },
  };
}

function leastCommonMultiple(a: number, b: number): number {
  let multiple = a;
  while (multiple % b !== 0) multiple += a;
  return multiple;
}
