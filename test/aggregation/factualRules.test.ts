// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Aggregate } from "../../src/aggregation/aggregate.ts";
import { laboratoryOnly, needsOf, trustsLosses, weighsBySamples } from "../../src/aggregation/needsOf.ts";
import { ruleOf } from "../../src/aggregation/rules.ts";
import { masterDistanceSq } from "../../src/protocol/grid.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { AggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import {
  aggregateInMemory,
  cloud,
  FACTUAL,
  flatLayout,
  type InMemory,
  nameOf,
  RULES,
  rootOf,
  updatesOf,
} from "./fixtures.ts";

const TOP = 16_777_215;
/** What is known of the member at place i of the order. */
const lossAt = (i: number): number => 65_536 + 13_107 * ((7 * i) % 5);
const contributionAt = (i: number): number | undefined => (i % 4 === 3 ? undefined : 20_000 * ((37 * i) % 11));
const accuracyAt = (i: number): number => 8_192 * ((5 * i) % 7);
const stateAt = (i: number): number | undefined => (i % 3 === 0 ? undefined : 1_000_000_000 * (1 + (i % 2)));

/** Aggregates with facts, which travel with the members where the rows have another order; the root is the sum of all updates but for its grid. */
function run(
  config: AggregationConfig,
  rows: readonly ArrayLike<number>[],
  { order = rows.map((_, i) => i), ...changes }: Partial<InMemory> & { order?: readonly number[] } = {},
): Promise<Aggregate & { master: Float64Array }> {
  const size = rows[0]?.length ?? 1;
  const needs = needsOf(config);
  const root = Array.from({ length: size }, (_, j) =>
    Math.max(
      -TOP,
      Math.min(
        TOP,
        rows.reduce((sum, row) => sum + (row[j] as number), 0),
      ),
    ),
  );
  return aggregateInMemory({
    updates: updatesOf(
      rows,
      order.map((i) => 50 + 31 * (i % 6)),
      needs.losses && order.map(lossAt),
    ),
    reputations: rows.map(() => 65_536),
    alphaQ16: 58_982,
    config,
    master: new Float64Array(size),
    layout: flatLayout(size),
    facts: {
      ...(needs.contributions && { contributions: order.map(contributionAt) }),
      ...(needs.accuracies && { accuracies: order.map(accuracyAt) }),
      ...(needs.memberState && { memberState: order.map(stateAt) }),
      ...(needs.staleness && { staleness: order.map((i) => i % 3) }),
      ...(needs.root && { root: rootOf(root) }),
    },
    ...changes,
  });
}
const sumOf = (weights: Uint32Array): number => weights.reduce((total, weight) => total + weight, 0);
/** No weight is left unspent. */
const spendsAll = ({ rule }: AggregationConfig): boolean =>
  ["mean-of-senders", "fedeba", "fair-gradient", "fairfed", "spfl"].includes(rule);

for (const config of FACTUAL) {
  const least = ruleOf(config).minUpdates;
  const count = least + 5;
  describe(`${nameOf(config)}, as every rule that decides from facts`, () => {
    it("is Σ λ_k q_k exactly, with λ ≥ 0 that sum to at most 1; what is kept weighs something and nothing else does", async () => {
      const rows = cloud(keyedRandom("facts", nameOf(config)), count, 40, 500, 4_000);
      (rows[2] as Int32Array)[7] = TOP;
      const { weights, kept, master } = await run(config, rows);
      assert.ok(spendsAll(config) ? sumOf(weights) === 65_536 : sumOf(weights) <= 65_536);
      assert.deepEqual(
        kept,
        Array.from(weights, (weight) => weight > 0),
      );
      for (const [j, m] of master.entries())
        assert.equal(
          m,
          rows.reduce((sum, row, k) => sum + (weights[k] as number) * (row[j] as number), 0),
        );
    });

    it("gives what all agree on, as far as it spends", async () => {
      const { master, weights } = await run(config, new Array(count).fill([300, -7]));
      assert.deepEqual([...master], [300 * sumOf(weights), -7 * sumOf(weights)]);
    });

    if (config.rule !== "fedasync")
      it("decides the same whoever the members are; rounding may move a unit of weight", async () => {
        await fc.assert(
          fc.asyncProperty(fc.nat(), async (seed) => {
            const rows = cloud(keyedRandom("factual", seed), count, 5, 0, 200_000);
            const order = keyedRandom("order", seed).permutation(count);
            const [plain, shuffled] = [
              await run(config, rows),
              await run(
                config,
                order.map((i) => rows[i] as Int32Array),
                { order },
              ),
            ];
            for (const [to, from] of order.entries()) {
              assert.equal(shuffled.kept[to], plain.kept[from]);
              assert.ok(Math.abs((shuffled.weights[to] as number) - (plain.weights[from] as number)) <= 1);
            }
          }),
          { seed: 92, numRuns: 15 },
        );
      });

    if (config.rule !== "q-fedavg")
      it("scales with all updates by a power of two, in every bit", async () => {
        const rows = cloud(keyedRandom("scaled", nameOf(config)), count, 6, 300, 200_000 / count);
        const once = await run(config, rows);
        const scaled = await run(
          config,
          rows.map((row) => row.map((q) => 8 * q)),
        );
        assert.deepEqual(scaled.weights, once.weights);
        assert.deepEqual(
          scaled.master,
          once.master.map((m) => 8 * m),
        );
      });

    it("gives the same weights to updates with coordinates exchanged and reflected", async () => {
      const rows = cloud(keyedRandom("reflected"), count, 30, 10, 2_000);
      const reflected = rows.map((row) =>
        Int32Array.from(row, (_, j) => (j % 3 === 0 ? -1 : 1) * (row[(7 * j + 3) % 30] as number)),
      );
      assert.deepEqual((await run(config, reflected)).weights, (await run(config, rows)).weights);
    });

    if (["mean-of-senders", "fedeba", "fair-gradient", "fairfed", "spfl"].includes(config.rule))
      it("moves with a translation of all updates, in every bit", async () => {
        const rows = cloud(keyedRandom("translated"), count, 4, 0, 90_000);
        const [here, there] = [
          await run(config, rows),
          await run(
            config,
            rows.map((row) => row.map((q) => q + 4_000_000)),
          ),
        ];
        assert.deepEqual(there.weights, here.weights);
        assert.deepEqual(
          there.master,
          here.master.map((m) => m + 4_000_000 * 65_536),
        );
      });

    it("gives the same bits for any size of chunk", async () => {
      const rows = cloud(keyedRandom("chunks"), count, 9_000, 10, 3_000);
      assert.deepEqual(await run(config, rows, { memoryBytes: 1 }), await run(config, rows));
    });

    it("counts a tensor on a coarser grid as much longer, and reports the exact squared movement", async () => {
      const layout = modelLayout([
        { name: "a", shape: [2], fractionBits: 18, group: 0 },
        { name: "b", shape: [2], fractionBits: 16, group: 1 },
      ]);
      const rows = cloud(keyedRandom("groups"), count, 4, 900, 400);
      const master = Float64Array.of(1, -70_000, 5, 1e9);
      const result = await run(config, rows, { layout, master });
      assert.equal(result.updateNormSq, masterDistanceSq(result.master, master, layout));
      for (const group of [0, 1]) {
        const column = result.weights.filter((_, at) => at % 2 === group);
        assert.ok(sumOf(column) <= 65_536);
        assert.deepEqual(
          Array.from(column, (weight) => weight > 0),
          result.kept,
        );
      }
    });

    it("survives zeros, one zero update, one coordinate, two alike and one far, and values at the grid's limit", async () => {
      const zeros = run(config, new Array(count).fill([0, 0]));
      if (config.rule === "fltrust") await assert.rejects(zeros, { code: "NOTHING_KEPT" });
      else assert.deepEqual([...(await zeros).master], [0, 0]);
      const degenerate = [
        [
          [1, 2],
          [0, 0],
          [3, 1],
          [2, 2],
        ],
        [[5], [6], [7], [8]],
        [
          [5, 5],
          [5, 5],
          [TOP, TOP],
          [6, 4],
        ],
        new Array(4).fill([TOP, -TOP]),
      ];
      for (const rows of degenerate) {
        const { master, weights } = await run(config, rows as number[][]);
        assert.ok(master.every((m) => Number.isInteger(m) && !Object.is(m, -0)));
        assert.ok(sumOf(weights) > 0 && sumOf(weights) <= 65_536);
      }
      for (let few = least; few < 3; few++) await run(config, new Array(few).fill([4, -4]));
    });

    it(`refuses fewer than ${least} updates, and without the facts it needs`, async () => {
      await assert.rejects(run(config, new Array(least - 1).fill([1])), { code: "TOO_FEW_UPDATES" });
      const needs = Object.keys(needsOf(config));
      if (needs.length === 0) return;
      const bare = run(config, new Array(least).fill([1]), {
        facts: {},
        updates: updatesOf(new Array(least).fill([1])),
      });
      await assert.rejects(bare, ({ code }) => code === "MISSING_FACT" || code === "LOSSES_SEALED");
    });
  });
}

describe("needsOf", () => {
  it("names the facts of a rule; most need none", () => {
    assert.deepEqual(needsOf({ rule: "krum", parameters: { byzantine: 1 } }), {});
    assert.deepEqual(
      FACTUAL.map((config) => Object.keys(needsOf(config)).join(" ")),
      [
        "",
        "",
        "root",
        "",
        "",
        "",
        "losses",
        "losses",
        "losses",
        "losses",
        "losses memberState",
        "accuracies memberState",
        "contributions",
        "contributions losses",
        "staleness",
        "staleness",
      ],
    );
  });

  it("laboratoryOnly says why a run on chain cannot have a rule, and takes what the run gives", () => {
    assert.equal(laboratoryOnly({ rule: "fedeba", parameters: { temperature: 1, prior: "uniform" } }), undefined);
    assert.match(laboratoryOnly({ rule: "fltrust" }) as string, /fltrust decides from root/);
    assert.equal(laboratoryOnly({ rule: "fltrust" }, { root: true }), undefined);
    const fairFed = { rule: "fairfed", parameters: { beta: 1, metric: "accuracy" } } as const;
    assert.match(laboratoryOnly(fairFed) as string, /accuracies and memberState/);
  });
});

describe("what a rule's weights depend on", () => {
  const EBA = { temperature: 1, prior: "uniform" } as const;
  const capped: AggregationConfig = { rule: "fedeba", parameters: { ...EBA, capMads: 3 } };

  it("weighsBySamples: whatever reads n_i, in its first round too", () => {
    assert.deepEqual(
      FACTUAL.map(weighsBySamples),
      FACTUAL.map(
        ({ rule, ...rest }) => ["fairfed", "spfl"].includes(rule) || JSON.stringify(rest).includes('"prior":"samples"'),
      ),
    );
    assert.ok(weighsBySamples({ rule: "weighted-mean" }));
    assert.ok(!weighsBySamples({ rule: "uniform-mean" }));
    assert.ok(weighsBySamples({ rule: "byzfed", parameters: { filter: "tau", tau: 2, sizeWeighted: true } }));
    assert.ok(!weighsBySamples({ rule: "byzfed", parameters: { filter: "tau", tau: 2, sizeWeighted: false } }));
  });

  it("weighsBySamples is what changing everybody's n_i shows", async () => {
    for (const config of FACTUAL) {
      const count = ruleOf(config).minUpdates + 3;
      const rows = cloud(keyedRandom("samples"), count, 6, 200, 500);
      const needs = needsOf(config);
      const unknown = rows.map(() => undefined);
      const weightsWith = async (samples: number[]): Promise<Uint32Array> => {
        const updates = updatesOf(rows, samples, needs.losses && rows.map((_, i) => lossAt(i)));
        // Nobody has been seen before: where samples come in, they do now.
        const first = {
          ...(needs.contributions && { contributions: unknown }),
          ...(needs.memberState && { memberState: unknown }),
        };
        const facts = {
          accuracies: rows.map((_, i) => accuracyAt(i)),
          staleness: rows.map(() => 1),
          root: rootOf(rows[0] as Int32Array),
          ...first,
        };
        return (await run(config, rows, { updates, facts })).weights;
      };
      const [alike, unlike] = [
        await weightsWith(rows.map(() => 5)),
        await weightsWith(rows.map((_, i) => 5 + 40 * (i % 2))),
      ];
      const changed = alike.some((weight, i) => weight !== unlike[i]);
      assert.equal(changed, weighsBySamples(config), nameOf(config));
    }
  });

  it("trustsLosses: unless they are clipped", () => {
    assert.ok(trustsLosses({ rule: "fedeba", parameters: EBA }));
    assert.ok(!trustsLosses(capped));
    assert.ok(trustsLosses({ rule: "q-fedavg", parameters: { q: 1, learningRate: 0.1 } }));
    assert.ok(trustsLosses({ rule: "spfl", parameters: { weighting: "ratio", fair: { kappa: 0.5, ...EBA } } }));
    assert.ok(!trustsLosses({ rule: "spfl", parameters: { weighting: "ratio" } }));
    assert.ok(!trustsLosses({ rule: "fltrust" }));
  });
});

describe("contracts/rounds/RunRules.sol", () => {
  it("knows exactly the rules that a run on chain can have, some of them with a root update", () => {
    const source = readFileSync(new URL("../../contracts/rounds/RunRules.sol", import.meta.url), "utf8");
    const known = [...source.matchAll(/keccak256\("([a-z-]+)"\)/g)].map(([, name]) => name as string);
    const possible = [...RULES, ...FACTUAL].filter((config) => laboratoryOnly(config, { root: true }) === undefined);
    assert.deepEqual(known.sort(), [...new Set(possible.map(({ rule }) => rule))].sort());
  });
});
