// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Comparator, sortingNetwork } from "../../../src/kernels/gpu/sortingNetwork.ts";

const places = (count: number): number[] => [...Array(count).keys()];

/** As the shader does it: an output that nothing needs is not written, so that a wrong pruning shows. */
function apply(network: readonly Comparator[], values: readonly number[]): number[] {
  const at: number[] = [...values];
  for (const { first, second, low, high } of network) {
    const [a, b] = [at[first] as number, at[second] as number];
    at[first] = low ? Math.min(a, b) : Number.NaN;
    at[second] = high ? Math.max(a, b) : Number.NaN;
  }
  return at;
}

describe("sortingNetwork", () => {
  it("sorts every sequence of 0 and 1, and therefore (Knuth) everything, for 1 to 13 places", () => {
    for (let count = 1; count <= 13; count++) {
      const network = sortingNetwork(count, places(count));
      for (let bits = 0; bits < 1 << count; bits++) {
        const values = places(count).map((i) => (bits >> i) & 1);
        const ones = values.reduce((sum, value) => sum + value, 0);
        assert.deepEqual(
          apply(network, values),
          places(count).map((i) => (i < count - ones ? 0 : 1)),
          `${count} places, ${bits.toString(2)}`,
        );
      }
    }
  });

  it("without what it does not need still puts what it needs into place", () => {
    for (let count = 1; count <= 11; count++) {
      for (const needed of [[(count - 1) >> 1, count >> 1], [0], [count - 1], places(count).slice(count >> 2)]) {
        const network = sortingNetwork(count, needed);
        for (let bits = 0; bits < 1 << count; bits++) {
          const values = places(count).map((i) => (bits >> i) & 1);
          const ones = values.reduce((sum, value) => sum + value, 0);
          const sorted = apply(network, values);
          for (const place of needed) assert.equal(sorted[place], place < count - ones ? 0 : 1);
        }
      }
    }
  });

  it("has as many comparators as Batcher's merge exchange (OEIS A006282), and fewer for two places in the middle", () => {
    const known = [0, 1, 3, 5, 9, 12, 16, 19, 26, 31, 37, 41, 48, 53, 59, 63, 74, 82, 91, 97, 107];
    assert.deepEqual(
      known.map((_, i) => sortingNetwork(i + 1, places(i + 1)).length),
      known,
    );
    assert.equal(sortingNetwork(20, [9, 10]).length, 81);
  });
});
