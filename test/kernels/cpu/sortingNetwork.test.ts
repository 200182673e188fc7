// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type SortingNetwork, selectionNetwork, sortingNetwork } from "../../../src/kernels/cpu/sortingNetwork.ts";

function run(network: SortingNetwork, values: readonly number[]): number[] {
  const row = [...values];
  for (const [a, b] of network) {
    const [x, y] = [row[a] as number, row[b] as number];
    row[a] = Math.min(x, y);
    row[b] = Math.max(x, y);
  }
  return row;
}

const zerosAndOnes = (count: number): number[][] =>
  Array.from({ length: 2 ** count }, (_, bits) => Array.from({ length: count }, (_, i) => (bits >> i) & 1));
const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

describe("sorting networks", () => {
  it("sort all sequences of zeros and ones, and so everything (Knuth's principle), for up to 12 values", () => {
    for (let count = 1; count <= 12; count++) {
      for (const values of zerosAndOnes(count)) assert.deepEqual(run(sortingNetwork(count), values), ascending(values));
    }
  });

  it("select every window of up to 9 values, as a set, for all sequences of zeros and ones", () => {
    for (let count = 1; count <= 9; count++) {
      for (let from = 0; from < count; from++) {
        for (let to = from + 1; to <= count; to++) {
          const network = selectionNetwork(count, from, to);
          for (const values of zerosAndOnes(count)) {
            const selected = ascending(run(network, values).slice(from, to));
            assert.deepEqual(selected, ascending(values).slice(from, to), `${count}: ${from} to ${to}`);
          }
        }
      }
    }
  });

  it("leave out what nobody reads", () => {
    assert.equal(sortingNetwork(20).length, 103);
    assert.ok(selectionNetwork(20, 9, 11).length < 84);
    assert.equal(selectionNetwork(20, 0, 20).length, 0);
    assert.equal(selectionNetwork(1, 0, 1).length, 0);
  });
});
