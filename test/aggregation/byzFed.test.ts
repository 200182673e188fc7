// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Aggregate } from "../../src/aggregation/aggregate.ts";
import { type ByzFedParameters, filterLimit } from "../../src/aggregation/byzFed.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { aggregateInMemory, cloud, flatLayout, updatesOf } from "./fixtures.ts";

const ALPHA = 58_982; // 0.9
const run = (
  rows: readonly ArrayLike<number>[],
  parameters: Partial<ByzFedParameters> & { tau?: number; k?: number; filter?: "tau" | "mad" } = {},
  options: { samples?: number[]; reputations?: number[]; alphaQ16?: number } = {},
): Promise<Aggregate & { master: Float64Array }> => {
  const size = rows[0]?.length as number;
  return aggregateInMemory({
    updates: updatesOf(rows, options.samples),
    reputations: options.reputations ?? rows.map(() => 65_536),
    alphaQ16: options.alphaQ16 ?? ALPHA,
    config: {
      rule: "byzfed",
      parameters: { filter: "tau", tau: 3, sizeWeighted: false, ...parameters } as ByzFedParameters,
    },
    master: new Float64Array(size),
    layout: flatLayout(size),
  });
};
const keptOf = async (...args: Parameters<typeof run>): Promise<number[]> =>
  (await run(...args)).kept.flatMap((kept, i) => (kept ? [i] : []));

describe("ByzFed", () => {
  it("the example of the specification: the far one goes, the rest is averaged", async () => {
    // (1,0), (1.1,0), (.9,.1), (1,−.1), (−10,0) in tenths: d ≈ (0, 1, 1.41, 1, 110), median 1.
    const result = await run([
      [10, 0],
      [11, 0],
      [9, 1],
      [10, -1],
      [-100, 0],
    ]);
    assert.deepEqual(result.kept, [true, true, true, true, false]);
    assert.deepEqual(result.reputations, [65_536, 65_536, 65_536, 65_536, ALPHA]);
    assert.deepEqual([...result.weights], [16_384, 16_384, 16_384, 16_384, 0]);
    assert.deepEqual([...result.master], [10 * 65_536, 0]);
  });

  it("weighs by the reputation after this round", async () => {
    const rows = [
      [10, 0],
      [11, 0],
      [9, 1],
      [10, -1],
    ];
    const { weights, reputations } = await run(rows, {}, { reputations: [65_536, 0, 32_768, 65_536] });
    // r' = (58982·r + 6554·65536) >> 16: 65536, 6554, 36045, 65536 of 173671; the two missing units go to the third and first.
    assert.deepEqual(reputations, [65_536, 6_554, 36_045, 65_536]);
    assert.deepEqual([...weights], [24_731, 2_473, 13_602, 24_730]);
  });

  it("weighs by samples too only if the run says so", async () => {
    const rows = [
      [10, 0],
      [11, 0],
      [9, 1],
      [10, -1],
    ];
    const samples = [1, 1, 1, 5];
    assert.deepEqual([...(await run(rows, {}, { samples })).weights], [16_384, 16_384, 16_384, 16_384]);
    assert.deepEqual(
      [...(await run(rows, { sizeWeighted: true }, { samples })).weights],
      [8_192, 8_192, 8_192, 40_960],
    );
  });

  it("a reputation of 0 still weighs as much as this round earned", async () => {
    const { weights, kept } = await run(
      [
        [1, 0],
        [0, 1],
        [1, 1],
        [0, 0],
      ],
      {},
      { reputations: [0, 0, 0, 0], alphaQ16: 65_535 },
    );
    assert.deepEqual(kept, [true, true, true, true]);
    assert.deepEqual([...weights], [16_384, 16_384, 16_384, 16_384]);
  });

  it("keeps a member whose weight would round to 0 with one unit", async () => {
    const rows = [
      [1, 0],
      [0, 1],
      [1, 1],
      [0, 0],
    ];
    const { weights } = await run(rows, { sizeWeighted: true }, { samples: [1_000_000, 1, 1_000_000, 1_000_000] });
    assert.equal(weights[1], 1);
    assert.equal(
      weights.reduce((sum, weight) => sum + weight, 0),
      65_536,
    );
  });

  it("keeps exactly an identical majority", async () => {
    assert.deepEqual(
      await keptOf([
        [4, 4],
        [4, 4],
        [4, 4],
        [5, 4],
        [900, 0],
      ]),
      [0, 1, 2],
    );
    assert.deepEqual(
      await keptOf([
        [4, 4],
        [4, 4],
        [4, 4],
        [4, 4],
      ]),
      [0, 1, 2, 3],
    );
    assert.deepEqual(
      await keptOf([
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 7],
      ]),
      [0, 1, 2, 3],
    );
  });

  it("one coordinate spiked to blind the Gram rules, with colluders beside it: all three go", async () => {
    const honest = cloud(keyedRandom("blinding"), 8, 200, 40, 100);
    const spiker = Int32Array.from(honest[0] as Int32Array, (q, j) => (j === 17 ? 16_777_215 : q));
    const colluders = [0, 1].map((i) => Int32Array.from(honest[i] as Int32Array, (q) => -4 * q));
    assert.deepEqual(await keptOf([...honest, spiker, ...colluders], { tau: 2 }), [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("an update negated and magnified fourfold goes under every setting", async () => {
    const honest = cloud(keyedRandom("negated"), 9, 300, 60, 100);
    const attacker = Int32Array.from(honest[4] as Int32Array, (q) => -4 * q);
    for (const parameters of [{ tau: 1.5 }, { tau: 2 }, { tau: 3 }, { filter: "mad" as const, k: 2 }]) {
      assert.deepEqual(await keptOf([...honest, attacker], parameters), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }
  });

  it("an update merely negated stays under the paper's τ = 3, as distances concentrate, and goes with MAD", async () => {
    const honest = cloud(keyedRandom("merely-negated"), 9, 300, 60, 100);
    const attacker = Int32Array.from(honest[4] as Int32Array, (q) => -q);
    const rows = [...honest, attacker];
    assert.ok((await keptOf(rows, { tau: 3 })).includes(9));
    assert.ok(!(await keptOf(rows, { filter: "mad", k: 2 })).includes(9));
  });

  it("refuses fewer than four updates, and a τ that keeps nobody", async () => {
    await assert.rejects(run([[1], [2], [3]]), { code: "TOO_FEW_UPDATES" });
    await assert.rejects(
      run(
        [
          [0, 0],
          [9, 0],
          [0, 9],
          [9, 9],
        ],
        { tau: 0.5 },
      ),
      { code: "NOTHING_KEPT" },
    );
  });
});

describe("filterLimit", () => {
  const distances = Float64Array.of(1, 2, 3, 4, 100);
  it("τ times the median", () => assert.equal(filterLimit(distances, { filter: "tau", tau: 1.5 }), 4.5));
  it("the median plus k · 1.4826 · MAD", () => {
    // Deviations (2, 1, 0, 1, 97): MAD 1.
    assert.equal(filterLimit(distances, { filter: "mad", k: 2 }), 3 + 2 * 1.4826);
  });
});
