// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { judgeClaims } from "../../../src/simulation/laboratory/claims.ts";
import { cellsOf, parseExperiment } from "../../../src/simulation/laboratory/experimentConfig.ts";
import { CENTRAL } from "./laboratory.ts";
import { resultOf } from "./results.ts";

const files = readdirSync("experiments").filter((name) => name.endsWith(".yaml"));

for (const name of files) {
  test(`${name} is an experiment whose cells are valid and whose claims speak of them`, () => {
    const experiment = parseExperiment(parse(readFileSync(`experiments/${name}`, "utf8")), name);
    assert.equal(`${experiment.name}.yaml`, name);
    const cells = cellsOf(experiment);
    assert.equal(new Set(cells.map(({ id }) => id)).size, cells.length, "no two cells are the same");
    const results = cells.map(({ labels, seed }) => resultOf(labels, seed, {}));
    assert.equal(judgeClaims(experiment.claims, results).length, experiment.claims.length);
    assert.ok(experiment.claims.length > 0, "an experiment says what it expects");
  });
}

const base = {
  members: 4,
  rounds: 2,
  data: { name: "s-mix" },
  partition: { kind: "iid" },
  model: { kind: "logistic" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.1, momentum: 0 },
};
const experiment = (more: Record<string, unknown>) =>
  parseExperiment({ name: "made-up", title: "Made up", seeds: [1, 2], base, ...more }, "made-up.yaml");

test("cells are all combinations and seeds, in the order of the file", () => {
  const cells = cellsOf(
    experiment({
      axes: {
        rule: { mean: {}, median: { aggregation: { rule: "coordinate-median" } } },
        skew: { a: {}, b: { members: 5 } },
      },
    }),
  );
  assert.deepEqual(
    cells.map(({ labels, seed }) => [labels.rule, labels.skew, seed]),
    ["mean", "median"].flatMap((rule) => ["a", "b"].flatMap((skew) => [1, 2].map((seed) => [rule, skew, seed]))),
  );
});

test("a choice is merged into what is of its kind, replaces what is of another, and null takes a key away", () => {
  const [cell] = cellsOf(
    experiment({
      seeds: [1],
      base: { ...base, serverOptimiser: { name: "fedavgm", learningRate: 1, momentum: 0.9 } },
      axes: {
        x: {
          one: {
            training: { momentum: 0.5 },
            partition: { kind: "shards", shardsPerMember: 2 },
            serverOptimiser: null,
          },
        },
      },
    }),
  );
  assert.ok(cell !== undefined && !("study" in cell.config));
  assert.deepEqual(cell.config.training, { localEpochs: 1, batchSize: 20, learningRate: 0.1, momentum: 0.5 });
  assert.deepEqual(cell.config.partition, { kind: "shards", shardsPerMember: 2 });
  assert.equal(cell.config.serverOptimiser, undefined);
});

test("the id names configuration and seed, not labels", () => {
  const ids = (name: string) => cellsOf(experiment({ axes: { x: { [name]: { members: 7 } } } })).map(({ id }) => id);
  assert.deepEqual(ids("one"), ids("two"));
  assert.notEqual(ids("one")[0], ids("one")[1]);
});

test("`except` leaves combinations out, and must name axes that exist", () => {
  const axes = { rule: { mean: {}, other: { members: 5 } }, attack: { none: {}, noise: { members: 6 } } };
  const cells = cellsOf(experiment({ axes, except: [{ rule: "other", attack: ["noise"] }] }));
  assert.deepEqual(
    cells.filter(({ seed }) => seed === 1).map(({ labels }) => Object.values(labels).join(" ")),
    ["mean none", "mean noise", "other none"],
  );
  assert.throws(() => cellsOf(experiment({ axes, except: [{ skew: "x" }] })), /does not have/);
});

for (const [name, change, reason] of [
  [
    "FedAtt by distance under attack",
    {
      aggregation: {
        rule: "fedatt",
        parameters: { attention: "distance", relative: true, temperature: 1, scope: "model", stepSize: 1 },
      },
      attack: { name: "negation", count: 1 },
    },
    /FedAtt by distance/,
  ],
  [
    "FedEBA under attack without capped losses",
    {
      aggregation: { rule: "fedeba", parameters: { temperature: 1, prior: "uniform" } },
      attack: { name: "report-inflation", count: 1 },
    },
    /capMads/,
  ],
  [
    "privacy with weights by samples",
    {
      privacy: CENTRAL,
    },
    /uniform/,
  ],
  [
    "central noise after a robust rule",
    {
      aggregation: { rule: "coordinate-median" },
      privacy: CENTRAL,
    },
    /robust|chooses/,
  ],
  ["SCAFFOLD II with momentum", { client: { name: "scaffold" }, training: { momentum: 0.9 } }, /momentum/],
  [
    "a rule by contributions that nobody scores",
    { aggregation: { rule: "spfl", parameters: { weighting: "softmax" } } },
    /scoring/,
  ],
  ["scores without samples", { scoring: {} }, /serverData\.validation/],
  [
    "LoRA's factors with scores of the base",
    { client: { name: "lora", mode: "naive", rank: 1 }, scoring: {}, serverData: { validation: 50 } },
    /mode stack/,
  ],
  [
    "LoRA's factors and an ensemble of bases",
    { client: { name: "lora", mode: "freezeA", rank: 1 }, server: { name: "flcert-d" } },
    /mode stack/,
  ],
  [
    "LoRA's factors and a rule that reads losses of the base",
    {
      client: { name: "lora", mode: "svd", rank: 1 },
      aggregation: { rule: "fedeba", parameters: { temperature: 1, prior: "uniform" } },
    },
    /mode stack/,
  ],
  [
    "LoRA's factors and a rule that reads accuracies of the base",
    {
      client: { name: "lora", mode: "naive", rank: 1 },
      aggregation: { rule: "fairfed", parameters: { beta: 1, metric: "accuracy" } },
    },
    /mode stack/,
  ],
  ["half of functional aggregation", { server: { name: "functional" } }, /two halves/],
  ["FLTrust without the root that it compares with", { aggregation: { rule: "fltrust" } }, /two halves/],
  [
    "a rule of staleness where nothing is stale",
    {
      aggregation: {
        rule: "fedbuff",
        parameters: { staleness: { decay: "polynomial", exponent: 0.5, limit: 20 }, stepSize: 1, prior: "uniform" },
      },
    },
    /schedule/,
  ],
  ["partial work on machines that nobody knows", { client: { name: "fedprox", partialWork: true } }, /resources/],
  [
    "partial work with a schedule that waits",
    {
      client: { name: "fedprox", partialWork: true },
      resources: [1, 0.5],
      schedule: { name: "fedbuff", buffer: 2 },
    },
    /none of it is partial/,
  ],
  ["tiers of machines that nobody knows", { client: { name: "hmsdfl", tiers: {} } }, /resources/],
  [
    "privacy counted for another sampling than is drawn",
    {
      aggregation: { rule: "uniform-mean" },
      privacy: {
        ...CENTRAL,
        sampling: { kind: "fixed-size", rate: 0.01, published: false },
      },
    },
    /another sampling/,
  ],
  ["a recipe that has no name", { recipe: "private-robust" }, /not built/],
] as const) {
  test(`refused with the reason: ${name}`, () => {
    assert.throws(() => cellsOf(experiment({ axes: { x: { one: change } } })), reason);
  });
}

test("a cell that is not valid is named with its labels", () => {
  assert.throws(
    () => cellsOf(experiment({ axes: { rule: { bad: { aggregation: { rule: "unheard-of" } } } } })),
    /made-up, rule bad/,
  );
});

test("a recipe's name stands for what it says, under whatever is said beside it", () => {
  const [cell] = cellsOf(
    experiment({ seeds: [1], axes: { x: { one: { recipe: "fedopt-adam", serverOptimiser: { learningRate: 0.5 } } } } }),
  );
  assert.ok(cell !== undefined && !("study" in cell.config));
  assert.deepEqual(cell.config.serverOptimiser, {
    name: "fedadam",
    learningRate: 0.5,
    beta1: 0.9,
    beta2: 0.99,
    tau: 0.001,
  });
  assert.throws(() => cellsOf(experiment({ axes: { x: { one: { recipe: "fedwhat" } } } })), /there are fedavg, /);
});
