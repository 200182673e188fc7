// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DealPolicy, deal, dealDirichlet, dealIid, dealShards } from "../../src/data/deal.ts";
import type { Deal } from "../../src/data/hands.ts";
import { holdOut, subset } from "../../src/data/subset.ts";
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

const DATA = counting(1000, 10);

function assertPartition(hands: Deal, size: number): void {
  assert.deepEqual(
    hands.flat().toSorted((a, b) => a - b),
    Array.from({ length: size }, (_, i) => i),
  );
  for (const hand of hands)
    assert.deepEqual(
      hand,
      hand.toSorted((a, b) => a - b),
    );
}

const labelCounts = (hand: readonly number[]): number[] => {
  const counts = new Array<number>(DATA.classes).fill(0);
  for (const index of hand) counts[DATA.labels[index] as number]! += 1;
  return counts;
};

describe("dealing", () => {
  const deals: Record<string, (members: number, seed: string) => Deal> = {
    iid: (members, seed) => dealIid(DATA, members, keyedRandom(seed)),
    shards: (members, seed) => dealShards(DATA, members, 2, keyedRandom(seed)),
    dirichlet: (members, seed) => dealDirichlet(DATA, members, { alpha: 0.3 }, keyedRandom(seed)),
  };
  for (const [name, dealt] of Object.entries(deals)) {
    it(`${name}: every sample goes to exactly one member, and the seed decides to which`, () => {
      for (const members of [1, 3, 7]) assertPartition(dealt(members, "a"), DATA.size);
      assert.deepEqual(dealt(5, "a"), dealt(5, "a"));
      assert.notDeepEqual(dealt(5, "a"), dealt(5, "b"));
    });
  }

  it("iid: sizes differ by at most one, and labels are spread", () => {
    const hands = dealIid(DATA, 7, keyedRandom("iid"));
    assert.deepEqual(new Set(hands.map((hand) => hand.length)), new Set([142, 143]));
    for (const hand of hands) assert.ok(labelCounts(hand).every((count) => count >= 3 && count <= 30));
  });

  it("shards: with as many shards as divide the labels evenly, nobody sees more than the shards' labels", () => {
    const hands = dealShards(DATA, 10, 2, keyedRandom("shards"));
    for (const hand of hands) {
      assert.equal(hand.length, 100);
      assert.ok(labelCounts(hand).filter((count) => count > 0).length <= 2);
    }
  });

  it("dirichlet: a small alpha concentrates a class on few members, a large one spreads it", () => {
    // Mean over classes and seeds of the largest share of a class among 5 members: 0.2 if perfectly even.
    const largestShare = (alpha: number): number => {
      let sum = 0;
      for (let seed = 0; seed < 20; seed++) {
        const counts = dealDirichlet(DATA, 5, { alpha, minSamples: 0 }, keyedRandom("alpha", seed)).map(labelCounts);
        for (let c = 0; c < 10; c++) sum += Math.max(...counts.map((hand) => hand[c] as number)) / 100;
      }
      return sum / 200;
    };
    const [skewed, even] = [largestShare(0.3), largestShare(100)];
    // E[max share] of Dirichlet(0.3, …) over 5 is 0.637 (100 000 draws), with standard error 0.012 here.
    assert.ok(Math.abs(skewed - 0.637) < 0.05, `${skewed}`);
    assert.ok(even < 0.3, `${even}`);
  });

  it("dirichlet: nobody gets fewer than the minimum", () => {
    for (let seed = 0; seed < 20; seed++) {
      const hands = dealDirichlet(DATA, 5, { alpha: 0.1, minSamples: 60 }, keyedRandom("minimum", seed));
      assert.ok(hands.every((hand) => hand.length >= 60));
    }
  });

  it("CANNOT_DEAL: conditions that no deal meets are refused, not bent", () => {
    const few = counting(20, 2);
    const refused = { code: "CANNOT_DEAL" };
    assert.throws(() => dealDirichlet(few, 3, { alpha: 1, minSamples: 10 }, keyedRandom("x")), refused);
    assert.throws(() => dealIid(few, 21, keyedRandom("x")), refused);
    assert.throws(() => dealIid(few, 0, keyedRandom("x")), refused);
    assert.throws(() => dealShards(few, 11, 2, keyedRandom("x")), refused);
    assert.throws(() => dealShards(few, 2, 0, keyedRandom("x")), refused);
  });

  it("deal copies out the hands of each policy", () => {
    const policies: DealPolicy[] = [
      { kind: "iid" },
      { kind: "shards", shardsPerMember: 2 },
      { kind: "dirichlet", alpha: 0.5 },
    ];
    for (const policy of policies) {
      const shards = deal(DATA, 4, policy, keyedRandom("deal"));
      assert.equal(
        shards.reduce((sum, shard) => sum + shard.size, 0),
        DATA.size,
      );
      for (const shard of shards) {
        for (let i = 0; i < shard.size; i++) assert.equal(shard.labels[i], (shard.features[i] as number) % 10);
      }
    }
  });
});

describe("subset and holdOut", () => {
  it("subset keeps rows together with their labels, in the given order", () => {
    const data: Dataset = {
      features: Float32Array.from([1, 2, 3, 4, 5, 6]),
      labels: Int32Array.from([0, 1, 2]),
      inputs: 2,
      classes: 3,
      size: 3,
    };
    assert.deepEqual(subset(data, [2, 0]), {
      features: Float32Array.from([5, 6, 1, 2]),
      labels: Int32Array.from([2, 0]),
      inputs: 2,
      classes: 3,
      size: 2,
    });
    assert.throws(() => subset(data, [3]), RangeError);
  });

  it("holdOut splits off a fifth, rounded up, keyed by the seed", () => {
    const { rest, heldOut } = holdOut(counting(1797, 10), 0.2, "seed");
    assert.deepEqual([rest.size, heldOut.size], [1437, 360]);
    assert.deepEqual(
      [...rest.features, ...heldOut.features].toSorted((a, b) => a - b),
      [...counting(1797, 10).features],
    );
    assert.deepEqual(holdOut(counting(1797, 10), 0.2, "seed").heldOut, heldOut);
    assert.notDeepEqual(holdOut(counting(1797, 10), 0.2, "other").heldOut, heldOut);
    for (let d = 0; d < 10; d++) {
      const count = heldOut.labels.filter((label) => label === d).length;
      assert.ok(count > 20 && count < 52, `${count} of label ${d}`);
    }
  });

  it("CANNOT_DEAL: a fraction that leaves one side empty", () => {
    for (const fraction of [0, 1, -0.1, 1.5, NaN])
      assert.throws(() => holdOut(DATA, fraction, "seed"), { code: "CANNOT_DEAL" });
  });
});
