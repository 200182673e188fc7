// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type NetworkPiece,
  networkProgram,
  selectionNetwork,
  sortingNetwork,
} from "../../../src/kernels/cpu/sortingNetwork.ts";

const comparatorsOf = (network: readonly NetworkPiece[]) => network.flatMap(({ comparators }) => comparators);

function run(network: readonly NetworkPiece[], values: readonly number[]): number[] {
  const row = [...values];
  for (const [a, b] of comparatorsOf(network)) {
    const [x, y] = [row[a] as number, row[b] as number];
    row[a] = Math.min(x, y);
    row[b] = Math.max(x, y);
  }
  return row;
}

/** What the kernel makes of a program, one value per place; a place holds nothing before it is brought there. */
function execute(program: Uint32Array, values: readonly number[]): number[] {
  const row = new Array<number>(values.length).fill(Number.NaN);
  const words = [...program];
  const next = (): number => words.shift() as number;
  const put = (places: readonly number[], sorted: readonly number[]): void => {
    for (const [i, place] of places.entries()) row[place] = sorted[i] as number;
  };
  while (words.length > 0) {
    const operation = next();
    if (operation === 0) {
      for (let left = next(); left > 0; left--) {
        const places = [next() / 64, next() / 64];
        put(places, ascending(places.map((place) => row[place] as number)));
      }
    } else if (operation === 1) {
      const first = next();
      const places = Array.from({ length: 8 }, (_, i) => first + i);
      put(places, ascending(places.map((place) => values[place] as number)));
    } else if (operation === 2) {
      const places = Array.from({ length: 8 }, () => next() / 64);
      const own = places.map((place) => row[place] as number);
      assert.deepEqual(own.slice(0, 4), ascending(own.slice(0, 4)), "a merge is of sorted values");
      assert.deepEqual(own.slice(4), ascending(own.slice(4)), "a merge is of sorted values");
      put(places, ascending(own));
    } else {
      assert.equal(operation, 3);
      const place = next();
      row[place] = values[place] as number;
    }
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
    assert.equal(comparatorsOf(sortingNetwork(20)).length, 103);
    assert.ok(comparatorsOf(selectionNetwork(20, 9, 11)).length < 90);
    assert.equal(selectionNetwork(20, 0, 20).length, 0);
    assert.equal(selectionNetwork(1, 0, 1).length, 0);
  });

  it("as programs sort and select the same, for numbers of updates around powers of two", () => {
    const random = (i: number, count: number): number => (Math.imul(i + 1, 2_654_435_761) >>> 7) % count;
    for (const count of [1, 2, 7, 8, 9, 12, 15, 16, 17, 20, 24, 31, 32, 33, 40, 64, 65, 100, 129]) {
      const middle = [(count - 1) >> 1, (count >> 1) + 1] as const;
      for (let trial = 0; trial < 20; trial++) {
        const values = Array.from({ length: count }, (_, i) => random(i + count * trial, count));
        assert.deepEqual(execute(networkProgram(sortingNetwork(count), count), values), ascending(values), `${count}`);
        for (const [from, to] of [middle, [count >> 2, count - (count >> 2)]] as const) {
          const row = execute(networkProgram(selectionNetwork(count, from, to), count), values);
          assert.deepEqual(
            ascending(row.slice(from, to)),
            ascending(values).slice(from, to),
            `${count}: ${from} to ${to}`,
          );
        }
      }
    }
  });
});
