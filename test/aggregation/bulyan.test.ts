// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { selectByKrum } from "../../src/aggregation/bulyan.ts";
import { type ExactDistances, exactDistances } from "../../src/aggregation/gramSpace.ts";
import { krumScores, lowestFirst } from "../../src/aggregation/krum.ts";
import { ruleOf } from "../../src/aggregation/rules.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { cloud } from "./fixtures.ts";
import { line, outcome, tooFew } from "./run.ts";

const bulyan = (byzantine: number) => ({ rule: "bulyan", parameters: { byzantine } }) as const;
const onLine = (values: readonly number[]): ExactDistances =>
  exactDistances(values.map((x) => values.map((y) => BigInt(x) * BigInt(y))));

/** The definition as it reads: scores of what is left, summed anew in every round. */
function selectedByDefinition(distances: ExactDistances, byzantine: number, rounds: number): number[] {
  let left = distances.map((_, i) => i);
  const winners: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const among = left.map((i) => left.map((k) => (distances[i] as readonly bigint[])[k] as bigint));
    const winner = left[
      lowestFirst(krumScores(among, Math.max(1, left.length - byzantine - 2)))[0] as number
    ] as number;
    winners.push(winner);
    left = left.filter((i) => i !== winner);
  }
  return winners;
}

describe("Bulyan", () => {
  /** 0, 1, 2.2, 3.1, 4.5, 5.9, 100 in tenths. */
  const EXAMPLE = [0, 10, 22, 31, 45, 59, 1_000];

  it("the example of the specification: 2.2, 3.1, 1, 4.5 and 0 are selected in this order, and 2.2, 3.1, 1 average to 2.1", async () => {
    assert.deepEqual(selectByKrum(onLine(EXAMPLE), 1, 5), [2, 3, 1, 4, 0]);
    const { keptAt, moved, weights } = await outcome(bulyan(1), line(...EXAMPLE));
    assert.deepEqual(keptAt, [0, 1, 2, 3, 4]);
    assert.deepEqual(moved, [21]);
    assert.deepEqual([...weights], [13_108, 13_107, 13_107, 13_107, 13_107, 0, 0]);
  });

  it("selects what the definition selects, ties and the floor of one neighbour included", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3 }).chain((byzantine) =>
          fc.record({
            byzantine: fc.constant(byzantine),
            // Few distinct values, so many distances are equal.
            points: fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 })), {
              minLength: 4 * byzantine + 3,
              maxLength: 4 * byzantine + 12,
            }),
          }),
        ),
        ({ byzantine, points }) => {
          const distances = exactDistances(points.map(([x, y]) => points.map(([u, v]) => BigInt(x * u + y * v))));
          const rounds = points.length - 2 * byzantine;
          assert.deepEqual(
            selectByKrum(distances, byzantine, rounds),
            selectedByDefinition(distances, byzantine, rounds),
          );
        },
      ),
      { seed: 91, numRuns: 300 },
    );
  });

  it("with f = 0 selects all and is their mean", async () => {
    const { keptAt, moved } = await outcome(bulyan(0), line(0, 3, 9));
    assert.deepEqual([keptAt, moved], [[0, 1, 2], [4]]);
  });

  it("decides the same whoever the members are, where no two neighbours are left to be told apart by id alone", async () => {
    // f = 3: the last is selected from 2f + 1 = 7 by two neighbours each.
    for (let seed = 0; seed < 10; seed++) {
      const rows = cloud(keyedRandom("bulyan", seed), 16, 5, 0, 100_000);
      const order = keyedRandom("bulyan order", seed).permutation(16);
      const [plain, shuffled] = [
        await outcome(bulyan(3), rows),
        await outcome(
          bulyan(3),
          order.map((i) => rows[i] as Int32Array),
        ),
      ];
      assert.deepEqual(shuffled.master, plain.master);
      assert.deepEqual(
        shuffled.kept,
        order.map((i) => plain.kept[i]),
      );
    }
  });

  it("needs K ≥ 4f + 3, and never lowers f to fit", async () => {
    for (const f of [0, 1, 2]) {
      const count = 4 * f + 2;
      await assert.rejects(
        outcome(bulyan(f), line(...Array.from({ length: count }, (_, i) => i))),
        tooFew(4 * f + 3, count),
      );
    }
  });

  it("scores what it kept alike, as every coordinate-wise rule", () => assert.ok(ruleOf(bulyan(1)).coordinateWise));

  it("survives f that each move another coordinate, and not as many as outnumber the honest around a coordinate's median", async () => {
    const honest = cloud(keyedRandom("bulyan attack"), 9, 30, 0, 100);
    const moved = (j: number) => Int32Array.from(honest[j] as Int32Array, (q, at) => (at === j ? 400 : q));
    const borne = await outcome(bulyan(2), [...honest, moved(0), moved(1)]);
    assert.ok(borne.moved.every((q) => Math.abs(q) < 250));
    const colluding = new Array<Int32Array>(6).fill(new Int32Array(30).fill(5_000));
    const lost = await outcome(bulyan(2), [...honest.slice(0, 5), ...colluding]);
    assert.ok(lost.moved.every((q) => q > 1_000));
  });
});
