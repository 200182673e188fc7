// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { addWeighted } from "../../src/aggregation/addWeighted.ts";
import { weightGroups } from "../../src/aggregation/weightGroups.ts";
import { coalitionWeights } from "../../src/incentives/coalitionWeights.ts";
import { openCpuKernels } from "../../src/kernels/cpu/cpuKernels.ts";
import { openGpuKernels } from "../../src/kernels/gpu/gpuKernels.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { type AggregationConfig, aggregationSchema } from "../../src/protocol/recipe/aggregationConfig.ts";
import { driverIsMissing } from "../kernels/gpu/driver.ts";
import { aggregateInMemory, cloud, type InMemory, updatesOf } from "./fixtures.ts";
import { assertWeights, outcome } from "./run.ts";

const gpuIsMissing = await driverIsMissing();

/** Two tensors of two coordinates and one of one on a coarser grid, a column of weights each. */
const layout = modelLayout([
  { name: "a", shape: [2], fractionBits: 18, group: 0 },
  { name: "b", shape: [2], fractionBits: 18, group: 1 },
  { name: "c", shape: [1], fractionBits: 16, group: 2 },
]);
const config = (prior: "samples" | "uniform"): AggregationConfig => ({
  rule: "mean-of-senders",
  parameters: { prior },
});
const run = (
  rows: readonly ArrayLike<number>[],
  prior: "samples" | "uniform" = "uniform",
  samples?: readonly number[],
) => outcome(config(prior), rows, samples, undefined, { layout });

describe("the mean of the senders of a group", () => {
  it("by hand: who sends nothing in a group takes no part in its mean, and where nobody does the model stays", async () => {
    const rows = [
      [6, 0, 0, 0, 0],
      [2, -4, 8, 2, 0],
      [0, 0, 0, 6, 0],
    ];
    const { moved, weights, keptAt } = await run(rows);
    assert.deepEqual(moved, [4, -2, 4, 4, 0]);
    assert.deepEqual([...weights], [32_768, 0, 0, 32_768, 32_768, 0, 0, 32_768, 0]);
    assert.deepEqual(keptAt, [0, 1, 2]);
  });

  it("with the prior of samples: Σ n_iΔ_i / Σ n_i over the senders", async () => {
    const rows = [
      [8, 8, 0, 0, 4],
      [0, 0, 16, 0, 4],
      [16, 0, 16, 32, 4],
    ];
    const { moved, weights } = await run(rows, "samples", [30, 50, 10]);
    assertWeights(weights, [3 / 4, 0, 1 / 3, 0, 5 / 6, 5 / 9, 1 / 4, 1 / 6, 1 / 9]);
    const expected = [10, 6, 16, 32 / 6, 4];
    for (const [j, value] of moved.entries()) assert.ok(Math.abs(value - (expected[j] as number)) < 1e-3);
  });

  it("one member alone moves a group by its whole update, and one unit of the grid counts as sent", async () => {
    const rows = [
      [0, 0, 0, 0, 77],
      [0, 1, 0, 0, 0],
      [3, 3, 0, 0, 0],
    ];
    assert.deepEqual((await run(rows)).moved, [1.5, 2, 0, 0, 77]);
  });

  it("keeps who sends nothing at all, without weight; where that is everybody, nothing moves and nothing fails", async () => {
    const { kept, weights, moved } = await run([
      [0, 0, 0, 0, 0],
      [5, 5, 5, 5, 5],
    ]);
    assert.deepEqual(kept, [true, true]);
    assert.deepEqual([...weights], [0, 0, 0, 65_536, 65_536, 65_536]);
    assert.deepEqual(moved, [5, 5, 5, 5, 5]);
    const silent = await run(new Array(3).fill([0, 0, 0, 0, 0]));
    assert.deepEqual([silent.moved, silent.updateNormSq, silent.kept], [[0, 0, 0, 0, 0], 0n, [true, true, true]]);
    assert.ok(silent.weights.every((weight) => weight === 0));
  });

  it("gives a sender with next to no samples the unit that rounding would take, and nobody else one", async () => {
    const { weights } = await run(
      [
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 1, 1, 0],
      ],
      "samples",
      [1, 4_000_000_000, 7],
    );
    assert.deepEqual([...weights], [1, 0, 0, 65_535, 0, 0, 0, 65_536, 0]);
  });

  it("where all send everything, is the plain mean in every bit", async () => {
    const rows = cloud(keyedRandom("everything"), 7, 5, 4_000, 900);
    const samples = [3, 50, 7, 7, 90, 1, 12];
    for (const [prior, plain] of [
      ["samples", "weighted-mean"],
      ["uniform", "uniform-mean"],
    ] as const) {
      const one = await run(rows, prior, samples);
      const other = await outcome({ rule: plain }, rows, samples, undefined, { layout });
      assert.deepEqual([one.master, one.weights, one.kept], [other.master, other.weights, other.kept]);
    }
  });

  it("for any pattern of senders: each column sums to 1 or 0, λ is positive exactly where something was sent, and the order of members does not matter", async () => {
    const row = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.nat());
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 9 }), fc.nat(), async (members, seed) => {
        const updates = members.map(([a, b, c, key]) => {
          const values = cloud(keyedRandom("sent", key), 1, 5, 3_000, 400)[0] as Int32Array;
          const sent = [a, a, b, b, c];
          return values.map((q, j) => (sent[j] ? q : 0));
        });
        const samples = members.map(([, , , key]) => 1 + (key % 1_000));
        const { weights, master, kept } = await run(updates, "samples", samples);
        const order = keyedRandom("order", seed).permutation(members.length);
        const shuffled = await run(
          order.map((i) => updates[i] as Int32Array),
          "samples",
          order.map((i) => samples[i] as number),
        );
        assert.ok(kept.every((one) => one));
        for (const [g, size] of [2, 2, 1].entries()) {
          const offset = 2 * g;
          const column = members.map((_, k) => weights[3 * k + g] as number);
          const sent = members.map((member) => member[g] as boolean);
          assert.deepEqual(
            column.map((weight) => weight > 0),
            sent,
          );
          assert.equal(
            column.reduce((sum, weight) => sum + weight, 0),
            sent.includes(true) ? 65_536 : 0,
          );
          for (let j = offset; j < offset + size; j++)
            assert.equal(
              master[j],
              updates.reduce((sum, update, k) => sum + (column[k] as number) * (update[j] as number), 0),
            );
          for (const [to, from] of order.entries())
            assert.ok(Math.abs((shuffled.weights[3 * to + g] as number) - (column[from] as number)) <= 1);
        }
      }),
      { seed: 61, numRuns: 40 },
    );
  });

  it("a coalition's own weights make the mean of the senders among it, and nothing where none of it sent", async () => {
    const rows = [
      [6, 6, 0, 0, 0],
      [2, 2, 8, 8, 0],
      [4, 0, 4, 4, 0],
    ];
    const { weights } = await run(rows);
    for (const coalition of [[0], [1], [0, 2], [1, 2]]) {
      const alone = await run(coalition.map((k) => rows[k] as number[]));
      const restricted = coalitionWeights(weights, 3, coalition, "own");
      const moved = await addWeighted(new Float64Array(5), updatesOf(rows), restricted, layout);
      // Shares of the whole, rounded once, are shares of the coalition to a unit of weight each.
      for (const [j, m] of moved.entries())
        assert.ok(Math.abs(m - (alone.master[j] as number)) <= 12, `coalition ${coalition}`);
    }
  });

  it("takes no step before it, and no prior but the two", () => {
    assert.ok(aggregationSchema.safeParse(config("uniform")).success);
    for (const wrong of [
      { ...config("uniform"), before: [{ step: "bucketing", size: 2 }] },
      { rule: "mean-of-senders" },
      { rule: "mean-of-senders", parameters: { prior: "loss" } },
    ])
      assert.ok(!aggregationSchema.safeParse(wrong).success);
  });
});

describe("the mean of senders with other kernels", () => {
  for (const [name, open, skip] of [
    ["threads", () => openCpuKernels({ threads: 2 }), false],
    ["a GPU", () => openGpuKernels(), gpuIsMissing],
  ] as const)
    it(`${name}: the reference's bits, with columns of weights that are 0 for some and for all`, { skip }, async () => {
      const big = modelLayout([
        { name: "a", shape: [9_000], fractionBits: 18, group: 0 },
        { name: "b", shape: [5_000], fractionBits: 16, group: 1 },
        { name: "c", shape: [3_000], fractionBits: 18, group: 2 },
      ]);
      const rows = cloud(keyedRandom("kernels"), 6, 17_000, 0, 90_000);
      for (const [k, row] of rows.entries()) {
        if (k % 2 === 0) row.fill(0, 0, 9_000);
        if (k !== 3) row.fill(0, 9_000, 14_000);
        row.fill(0, 14_000);
      }
      const input: InMemory = {
        updates: updatesOf(rows, [5, 9, 1, 70, 33, 2]),
        reputations: rows.map(() => 65_536),
        alphaQ16: 58_982,
        config: config("samples"),
        master: Float64Array.from({ length: 17_000 }, (_, j) => 1_000 * (j % 77)),
        layout: big,
      };
      const reference = await aggregateInMemory(input);
      const kernels = await open();
      try {
        assert.deepEqual(await aggregateInMemory({ ...input, kernels, memoryBytes: 1 }), reference);
      } finally {
        await kernels.close();
      }
      assert.deepEqual(reference.master.subarray(14_000), input.master.subarray(14_000));
    });
});

describe("weightGroups", () => {
  const names = ["layer1.weight", "layer1.bias", "layer2.weight", "layer2.bias", "control"];
  const attention = (scope: "layer" | "model"): AggregationConfig => ({
    rule: "fedatt",
    parameters: { attention: "cosine", temperature: 1, stepSize: 1, scope },
  });

  it("one column for all tensors; one per layer for attention to layers; one per tensor where members leave out tensors", () => {
    assert.deepEqual(weightGroups({ rule: "weighted-mean" }, names), [0, 0, 0, 0, 0]);
    assert.deepEqual(weightGroups(attention("model"), names), [0, 0, 0, 0, 0]);
    assert.deepEqual(weightGroups(attention("layer"), names), [0, 0, 1, 1, 2]);
    assert.deepEqual(weightGroups(config("uniform"), names), [0, 1, 2, 3, 4]);
  });
});
