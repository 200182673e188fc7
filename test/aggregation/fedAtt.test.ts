// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FedAttParameters } from "../../src/aggregation/fedAtt.ts";
import { masterInMemory } from "../../src/aggregation/masterInMemory.ts";
import { laboratoryOnly } from "../../src/aggregation/needsOf.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { aggregateInMemory, cloud, flatLayout, updatesOf } from "./fixtures.ts";
import { assertWeights, outcome, tooFew } from "./run.ts";

const COSINE = { attention: "cosine", temperature: 0.1, scope: "model", stepSize: 1 } as const;
const DISTANCE = { attention: "distance", relative: false, temperature: 1, scope: "model", stepSize: 1 } as const;
const run = (parameters: FedAttParameters, rows: readonly number[][], layout = flatLayout(rows[0]?.length as number)) =>
  outcome({ rule: "fedatt", parameters }, rows, undefined, undefined, { layout });
const twoLayers = modelLayout([
  { name: "a", shape: [2], fractionBits: 18, group: 0 },
  { name: "b", shape: [2], fractionBits: 18, group: 1 },
]);
const ONE = 262_144;

describe("FedAtt by distance", () => {
  it("the example of the specification: (3,4) and (0,1) score 5 and 1, and a step of 1.2 arrives at (3.535250, 4.735250)", async () => {
    const rows = [
      [3 * ONE, 4 * ONE],
      [0, ONE],
    ];
    assertWeights((await run(DISTANCE, rows)).weights, [0.982014, 0.017986]);
    // The step is a server optimiser's: momentum 0, learning rate 1.2.
    const state = masterInMemory(new Float64Array(2));
    const { master } = await aggregateInMemory({
      updates: updatesOf(rows),
      reputations: [65_536, 65_536],
      alphaQ16: 58_982,
      config: { rule: "fedatt", parameters: DISTANCE },
      master: new Float64Array(2),
      layout: flatLayout(2),
      serverOptimiser: { config: { name: "fedavgm", learningRate: 1.2, momentum: 0 }, state: { momentum: state } },
    });
    for (const [j, expected] of [3.53525, 4.73525].entries())
      assert.ok(Math.abs((master[j] as number) / 65_536 / ONE - expected) < 1e-4);
  });

  it("raw distances saturate: one update far out takes everything; relative ones give it e^2.67 times as much as others get", async () => {
    const rows = [...[1, 1, 1].map((q) => [q * ONE]), [9 * ONE]];
    assert.ok(((await run({ ...DISTANCE, temperature: 0.1 }, rows)).weights[3] as number) >= 65_533);
    // Mean distance 3: scores ⅓, ⅓, ⅓, 3.
    const e = Math.exp(3 - 1 / 3);
    assertWeights(
      (await run({ ...DISTANCE, relative: true }, rows)).weights,
      [1, 1, 1, e].map((x) => x / (3 + e)),
    );
  });

  it("is refused for runs on chain, with the reason", () => {
    assert.match(laboratoryOnly({ rule: "fedatt", parameters: DISTANCE }) as string, /longest update/);
    assert.equal(laboratoryOnly({ rule: "fedatt", parameters: COSINE }), undefined);
  });
});

describe("FedAtt by cosine", () => {
  it("by hand: median (2, 0); cosines 1, 1 and 0 with τ = ½ weigh e² : e² : 1", async () => {
    const e2 = Math.exp(2);
    const rows = [
      [2, 0],
      [4, 0],
      [0, 6],
    ];
    assertWeights(
      (await run({ ...COSINE, temperature: 0.5 }, rows)).weights,
      [e2, e2, 1].map((x) => x / (2 * e2 + 1)),
    );
  });

  it("holds against the median of an even number exactly, also where it is half an integer", async () => {
    // Median (½, 3/2) of four; cosines of (1,3) 1, of the others as they lie to it.
    const rows = [
      [0, 0],
      [1, 3],
      [0, 3],
      [1, 0],
    ];
    const cosines = rows.map(([x, y]) => {
      const norm = Math.hypot(x as number, y as number) * Math.hypot(0.5, 1.5);
      return norm === 0 ? 0 : (0.5 * (x as number) + 1.5 * (y as number)) / norm;
    });
    const raw = cosines.map((cosine) => Math.exp(cosine / 0.1));
    const sum = raw.reduce((total, one) => total + one, 0);
    assertWeights(
      (await run(COSINE, rows)).weights,
      raw.map((one) => one / sum),
    );
  });

  it("weighs layer by layer: who agrees in one and not in the other gets weight in the one", async () => {
    const rows = [
      [5, 5, 5, 5],
      [5, 5, 5, 5],
      [5, 5, -5, -5],
    ];
    const { weights, moved } = await run({ ...COSINE, scope: "layer", temperature: 1 }, rows, twoLayers);
    const e2 = Math.exp(2);
    // Layer b: cosines 1, 1, −1.
    assertWeights(weights, [1 / 3, e2 / (2 * e2 + 1), 1 / 3, e2 / (2 * e2 + 1), 1 / 3, 1 / (2 * e2 + 1)]);
    for (const group of [0, 1])
      assert.equal(
        weights.reduce((sum, weight, at) => (at % 2 === group ? sum + weight : sum), 0),
        65_536,
      );
    assert.deepEqual(moved.slice(0, 2), [5, 5]);
    assert.ok((moved[2] as number) < 5 && (moved[2] as number) > 3.5);
  });

  it("both: the product of a layer's weight and the model's", async () => {
    const rows = [
      [5, 5, 5, 5],
      [5, 5, 5, 5],
      [5, 5, -5, -5],
    ];
    const { weights } = await run({ ...COSINE, scope: "both", temperature: 1 }, rows, twoLayers);
    // Model: cosines 1, 1, 0.
    const e = Math.exp(1);
    assertWeights(
      weights.filter((_, at) => at % 2 === 0),
      [e, e, 1].map((x) => x / (2 * e + 1)),
    );
    const products = [e * e, e * e, 1 / e];
    assertWeights(
      weights.filter((_, at) => at % 2 === 1),
      products.map((x) => x / (2 * e * e + 1 / e)),
    );
  });

  it("half a step leaves half of the weight unspent", async () => {
    assert.deepEqual((await run({ ...COSINE, stepSize: 0.5 }, [[8], [8], [8]])).moved, [4]);
  });

  it("a layer of zeros scores 0, and three updates are needed for a median", async () => {
    assert.deepEqual((await run(COSINE, [[0], [0], [0]])).moved, [0]);
    await assert.rejects(run(COSINE, [[1], [2]]), tooFew(3, 2));
  });

  it("an update negated fourfold loses its weight; a majority of them takes the median, and with it the weight", async () => {
    const honest = cloud(keyedRandom("attended"), 9, 200, 60, 50).map((row) => [...row]);
    const negated = (honest[0] as number[]).map((q) => -4 * q);
    const shareOf = async (attackers: number): Promise<number> => {
      const rows = [...honest.slice(attackers), ...new Array<number[]>(attackers).fill(negated)];
      const { weights } = await run(COSINE, rows);
      return weights.subarray(9 - attackers).reduce((sum, weight) => sum + weight, 0) / 65_536;
    };
    assert.ok((await shareOf(3)) < 0.001);
    assert.ok((await shareOf(5)) > 0.999);
  });
});
