// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { splitLocally } from "../../src/data/deal.ts";
import {
  countNaturalClients,
  type PartitionConfig,
  partition,
  partitionIndices,
  partitionSchema,
} from "../../src/data/partition.ts";
import type { Dataset } from "../../src/protocol/dataset.ts";
import { keyedRandom } from "../../src/protocol/random.ts";

/** Sample i has the single feature i and label i mod classes. */
function counting(size: number, classes: number): Dataset {
  return {
    features: Float32Array.from({ length: size }, (_, i) => i),
    labels: Int32Array.from({ length: size }, (_, i) => i % classes),
    inputs: 1,
    classes,
    size,
  };
}

const TRAIN = counting(1000, 10);
/** Clients 0 … 9 with 10, 30, 50, … 190 samples. */
const CLIENTS = Array.from({ length: 10 }, (_, client) => new Array<number>(10 + 20 * client).fill(client)).flat();
const DATA = { name: "counting", train: TRAIN, clients: CLIENTS };
const config = (section: object): PartitionConfig => partitionSchema.parse(section);
const refused = { code: "CANNOT_DEAL" };
const ascending = (hand: readonly number[]): number[] => hand.toSorted((a, b) => a - b);

describe("partitions by configuration", () => {
  const sections = [
    { kind: "iid" },
    { kind: "shards", shardsPerMember: 2 },
    { kind: "dirichlet", alpha: 0.5 },
    { kind: "natural", assign: "group" },
    { kind: "label-imbalance", ratio: 0.4 },
    { kind: "quantity", sigma: 1.5 },
  ];
  for (const section of sections)
    it(`${section.kind}: every sample goes to exactly one member; the stream decides to which`, () => {
      for (const members of [4, 7]) {
        const hands = partitionIndices(DATA, members, config(section), keyedRandom("p"));
        assert.equal(hands.length, members);
        assert.deepEqual(ascending(hands.flat()), [...TRAIN.labels.keys()]);
        for (const hand of hands) assert.deepEqual(hand, ascending(hand));
      }
      const deal = (seed: string) => partition(DATA, 4, config(section), keyedRandom(seed));
      assert.deepEqual(deal("a"), deal("a"));
      assert.notDeepEqual(deal("a"), deal("b"));
      for (const hand of deal("a"))
        for (const [i, label] of hand.labels.entries()) assert.equal(label, (hand.features[i] as number) % 10);
    });
});

describe("natural clients", () => {
  it("one: members are whole clients, ascending, a choice of those with enough samples", () => {
    const clientsOf = (members: number, seed: string, minSamples: number): (number | undefined)[] =>
      partitionIndices(DATA, members, config({ kind: "natural", minSamples }), keyedRandom(seed)).map((hand) => {
        const own = new Set(hand.map((index) => CLIENTS[index]));
        assert.equal(own.size, 1);
        assert.equal(hand.length, 10 + 20 * (CLIENTS[hand[0] as number] as number));
        return [...own][0];
      });
    assert.deepEqual(clientsOf(10, "a", 1), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(clientsOf(5, "a", 110), [5, 6, 7, 8, 9]);
    const seen = new Set<unknown>();
    for (let seed = 0; seed < 20; seed++) for (const client of clientsOf(2, `${seed}`, 150)) seen.add(client);
    assert.deepEqual(seen, new Set([7, 8, 9]));
  });

  it("group: every member has several whole clients, in numbers that differ by at most one", () => {
    const hands = partitionIndices(DATA, 3, config({ kind: "natural", assign: "group" }), keyedRandom("g"));
    const groups = hands.map((hand) => [...new Set(hand.map((index) => CLIENTS[index]))]);
    assert.deepEqual(groups.map((group) => group.length).sort(), [3, 3, 4]);
    assert.equal(new Set(groups.flat()).size, 10);
  });

  it("CANNOT_DEAL: more members than clients with enough samples, or data without clients", () => {
    assert.equal(countNaturalClients(DATA, 110), 5);
    assert.throws(
      () => partitionIndices(DATA, 6, config({ kind: "natural", minSamples: 110 }), keyedRandom("a")),
      refused,
    );
    const without = { name: "iris", train: TRAIN };
    assert.throws(() => partitionIndices(without, 2, config({ kind: "natural" }), keyedRandom("a")), {
      ...refused,
      message: /iris has no natural clients/,
    });
  });
});

describe("label imbalance", () => {
  it("equal sizes; the share of the dominant class is at least the ratio, and other classes are spread", () => {
    for (const ratio of [0, 0.25, 0.45, 1]) {
      const hands = partition(DATA, 10, config({ kind: "label-imbalance", ratio }), keyedRandom("l"));
      const dominants = hands.map(({ size, labels }) => {
        assert.equal(size, 100);
        const counts = Array.from({ length: 10 }, (_, label) => labels.filter((own) => own === label).length);
        const most = Math.max(...counts);
        assert.ok(most >= ratio * 100);
        // What is left of 90 or fewer samples falls on 10 classes; with 0.45 the expectation is 5.5 each.
        if (ratio === 0.45) assert.ok(most < 65 && counts.every((count) => count > 0), `${counts}`);
        return counts.indexOf(most);
      });
      if (ratio >= 0.25) assert.equal(new Set(dominants).size, 10);
    }
  });

  it("CANNOT_DEAL: a rare class cannot dominate", () => {
    const rare: Dataset = { ...TRAIN, labels: Int32Array.from({ length: 1000 }, (_, i) => (i < 5 ? 1 : 0)) };
    assert.throws(
      () =>
        partition({ name: "rare", train: rare }, 2, config({ kind: "label-imbalance", ratio: 0.5 }), keyedRandom("l")),
      refused,
    );
  });
});

describe("quantity skew", () => {
  it("log-normal sizes: σ = 0 is even, a larger σ more uneven, and nobody gets fewer than the minimum", () => {
    const sizes = (sigma: number, seed: string): number[] =>
      partition(DATA, 8, config({ kind: "quantity", sigma, minSamples: 20 }), keyedRandom(seed)).map(
        ({ size }) => size,
      );
    assert.deepEqual(new Set(sizes(0, "q")), new Set([125]));
    // Deviation of the logarithm of what exceeds the minimum: σ, but for rounding to whole samples.
    let [squares, count] = [0, 0];
    for (let seed = 0; seed < 40; seed++) {
      const own = sizes(0.5, `${seed}`);
      assert.ok(own.every((size) => size >= 20));
      const logs = own.map((size) => Math.log(size - 20));
      const mean = logs.reduce((sum, x) => sum + x, 0) / logs.length;
      squares += logs.reduce((sum, x) => sum + (x - mean) ** 2, 0);
      count += logs.length - 1;
    }
    // 280 degrees of freedom: the standard error of a deviation is 0.5/√560 = 0.02.
    assert.ok(Math.abs(Math.sqrt(squares / count) - 0.5) < 0.08, `${Math.sqrt(squares / count)}`);
    assert.throws(() => partition(DATA, 8, config({ kind: "quantity", minSamples: 126 }), keyedRandom("q")), refused);
  });
});

describe("a member's own test samples", () => {
  it("both parts together are the dataset, each in its order, and the test part has the share", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (size, share) => {
        const { train, test } = splitLocally(counting(size, 3), share, keyedRandom("split"));
        assert.equal(test.size, Math.min(Math.ceil(share * size), size - 1));
        assert.deepEqual(ascending([...train.features, ...test.features]), [...Array(size).keys()]);
        for (const part of [train, test]) assert.deepEqual([...part.features], ascending([...part.features]));
      }),
    );
    const split = (seed: string) => splitLocally(counting(50, 3), 0.2, keyedRandom(seed));
    assert.deepEqual(split("a"), split("a"));
    assert.notDeepEqual(split("a"), split("b"));
  });

  it("CANNOT_DEAL: one sample, or a share outside (0, 1)", () => {
    assert.throws(() => splitLocally(counting(1, 1), 0.2, keyedRandom("s")), refused);
    for (const share of [0, 1, Number.NaN])
      assert.throws(() => splitLocally(counting(9, 1), share, keyedRandom("s")), refused);
  });
});
