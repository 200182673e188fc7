// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { runLocalLoop } from "../../../src/learning/algorithms/localLoop.ts";
import { accuracy } from "../../../src/learning/evaluate.ts";
import { splitMaster } from "../../../src/protocol/grid.ts";
import type { FederationConfig } from "../../../src/simulation/laboratory/cellConfig.ts";
import { globalModelOf, ownPredictors } from "../../../src/simulation/laboratory/evaluateFederation.ts";
import { assemble, type Federation } from "../../../src/simulation/laboratory/federation.ts";
import { simulateRound } from "../../../src/simulation/laboratory/simulateRound.ts";
import { requireRealRuns } from "../../../src/simulation/onChain/requireRealRun.ts";
import { laboratory, lasting } from "./laboratory.ts";

const MLP = { kind: "mlp", hidden: [16], activation: "tanh" };
const ROUNDS = 3;
const SAMPLES = 40;
const base = {
  members: 6,
  rounds: ROUNDS,
  data: { name: "s-mix", s: 1.2, samples: 520, testSamples: 200 },
  partition: { kind: "shards", shardsPerMember: 3 },
  models: [
    { kind: "logistic" },
    MLP,
    {
      kind: "cnn",
      image: { channels: 1, height: 1, width: 64 },
      convolutions: [{ channels: 4, kernel: 3, padding: "same", pool: 4 }],
      pool: "max",
      hidden: [],
      activation: "relu",
    },
  ],
  client: { name: "functional", samples: SAMPLES },
  server: { name: "functional" },
  serverData: { samples: SAMPLES },
  training: { localEpochs: 2, batchSize: 20, learningRate: 0.2, momentum: 0 },
};
const FEDDF = { server: { name: "feddf", steps: 40, learningRate: 0.01 }, model: MLP };
const { cellOf, run, surroundings } = laboratory(base);

async function trained(change: Record<string, unknown>): Promise<Federation> {
  const federation = await assemble(cellOf(change).config as FederationConfig, 1, surroundings());
  for (let round = 1; round <= ROUNDS; round++) await simulateRound(federation, round, surroundings().kernels);
  return federation;
}

for (const [name, change] of [
  ["functional aggregation", { localTest: 0.2 }],
  ["FedDF", FEDDF],
] as const) {
  test(`${name} among three architectures learns and is repeated exactly`, async () => {
    const result = await run(change);
    const { ownAccuracy, ownAccuracy1, ownAccuracy2, ownAccuracy3 } = result.figures;
    for (const value of [ownAccuracy1, ownAccuracy2, ownAccuracy3]) assert.ok((value as number) > 0.2, `${value}`);
    // Two members of each.
    const mean = ((ownAccuracy1 as number) + (ownAccuracy2 as number) + (ownAccuracy3 as number)) / 3;
    assert.ok(Math.abs((ownAccuracy as number) - mean) < 1e-12);
    assert.equal(result.rounds.finalised, ROUNDS);
    assert.deepEqual(lasting(await run(change)), lasting(result));
  });
}

test("models differ in size and start; what travels is m·C values, which the traffic counts", async () => {
  const federation = await trained({});
  assert.equal(federation.layout.size, SAMPLES * federation.test.classes);
  const sizes = federation.members.map(({ model }) => model.parameterCount);
  assert.equal(new Set(sizes).size, 3);
  assert.deepEqual(sizes.slice(0, 3), sizes.slice(3), "architectures are taken in turn");
  const own = await ownPredictors(federation, ROUNDS);
  assert.deepEqual(
    own.map(({ parameters }) => parameters.length),
    sizes,
  );
  assert.notDeepEqual(own[0]?.parameters, own[3]?.parameters);
  assert.equal(globalModelOf(federation), undefined);
  const { traffic } = await run({});
  assert.equal(traffic.downlinkBytes, ROUNDS * 6 * 4 * SAMPLES * federation.test.classes);
  const dense = sizes.reduce((sum, size) => sum + 4 * size + 128, 0);
  assert.equal(traffic.denseUplinkBytes, ROUNDS * dense);
  assert.ok(traffic.uplinkBytes <= ROUNDS * 6 * (128 + 256 + 2 * SAMPLES * federation.test.classes));
});

test("the shared predictions are distributions, and shared logits have rows of mean 0", async () => {
  const rowsOf = ({ master, layout, test: { classes } }: Federation): Float32Array[] => {
    const { view } = splitMaster(master, layout);
    return Array.from({ length: SAMPLES }, (_, b) => view.subarray(b * classes, (b + 1) * classes));
  };
  const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);
  for (const row of rowsOf(await trained({}))) assert.ok(Math.abs(sum(row) - 1) < 2e-3, `${sum(row)}`);
  // Logits are sent less their mean.
  for (const row of rowsOf(await trained(FEDDF))) assert.ok(Math.abs(sum(row)) < 2e-2, `${sum(row)}`);
});

test("γ = 0 is training alone, bit for bit; γ > 0 is not", async () => {
  const federation = await trained({ client: { gamma: 0 } });
  const taught = await trained({});
  const initial = await ownPredictors(await assemble(federation.config, 1, surroundings()), 0);
  for (const [i, { id, model, shard, local }] of federation.members.entries()) {
    let alone = initial[i]?.parameters as Float32Array;
    for (let round = 1; round <= ROUNDS; round++) {
      const random = federation.random.derive("training", round, id);
      const plan = federation.config.training;
      alone = (await runLocalLoop({ model, plan, start: alone, shard, random })).parameters;
    }
    assert.deepEqual(local["model"], alone);
    assert.notDeepEqual(taught.members[i]?.local["model"], alone);
  }
});

test("FedDF's student is the server's: it goes on from round to round and is what the test set judges", async () => {
  const federation = await trained(FEDDF);
  const student = globalModelOf(federation) as Float32Array;
  assert.equal(student.length, federation.model.parameterCount);
  const [untaught, taught] = [
    await accuracy(federation.model, federation.server?.strategy.initial as Float32Array, federation.test),
    await accuracy(federation.model, student, federation.test),
  ];
  assert.ok(taught > untaught + 0.1, `${taught} against ${untaught}`);
  assert.equal((await run(FEDDF)).final.accuracy, taught);
});

test("who is not invited keeps its model, and an attacker's is not among the measured", async () => {
  const federation = await assemble(
    cellOf({ participation: 0.5, attack: { name: "negation", count: 2 } }).config as FederationConfig,
    1,
    surroundings(),
  );
  const { invited } = await simulateRound(federation, 1, surroundings().kernels);
  assert.equal(invited.length, 3);
  const honest = invited.filter(({ id }) => !federation.attackers?.ids.has(id));
  for (const member of federation.members) assert.equal("model" in member.local, honest.includes(member));
  assert.equal((await ownPredictors(federation, 1)).length, 4);
});

const ONE_MODEL = { ...base, models: undefined, model: MLP, client: undefined, server: undefined };
const ALIKE = { ...base, models: undefined, model: MLP, localTest: 0.2 };
const SHIFTED = { data: { name: "s-iot", shift: 0.5 }, shift: {} };

test("what a student can be measured by, FedDF measures", () => {
  assert.ok(cellOf({ ...FEDDF, ...SHIFTED, evaluate: { jacobianSamples: 10, marginSamples: 10, ranking: true } }));
  assert.ok(cellOf({}, ALIKE));
});

for (const [name, change, reason, from] of [
  ["no model at all", {}, /set model, or models/, { ...ONE_MODEL, model: undefined }],
  ["algorithms that exchange parameters", { client: { name: "fedprox" } }, /no parameters in common/],
  ["FedAvg beside models", { client: null, server: null }, /no parameters in common/],
  ["a server that takes parameters", { server: { name: "pfedgpa" } }, /send predictions/],
  ["FLTrust", { server: { name: "fltrust-root" }, aggregation: { rule: "fltrust" } }, /send predictions/],
  ["FLCert", { server: { name: "flcert-d" } }, /send predictions/],
  ["a model of all where there is none", { model: MLP }, /leave model out/],
  ["FedDF without a student", { server: { name: "feddf" } }, /say its architecture in model/],
  [
    "teachers that the server would have to measure",
    { ...FEDDF, server: { name: "feddf", dropShare: 0.3 } },
    /dropShare/,
  ],
  ["a rule", { aggregation: { rule: "coordinate-median" } }, /not by the rule/],
  ["an attack on parameters", { attack: { name: "weight-corruption", count: 1 } }, /none travel/],
  [
    "one that optimises a model",
    {
      attack: [
        { name: "label-flip", count: 1 },
        { name: "jaa", count: 1 },
      ],
    },
    /none travel/,
  ],
  ["a copy in another order", { attack: { name: "copycat", count: 1, disguise: "permutation" } }, /none travel/],
  ["a Jacobian of no model", { evaluate: { jacobianSamples: 10 } }, /no model of all/],
  ["margins of no model", { evaluate: { marginSamples: 10 } }, /no model of all/],
  ["a ranking by no model", { evaluate: { ranking: true } }, /no model of all/],
  [
    "a Jacobian of no model where architectures are alike",
    { evaluate: { jacobianSamples: 10 } },
    /no model of all/,
    ALIKE,
  ],
  ["margins there", { evaluate: { marginSamples: 10 } }, /no model of all/, ALIKE],
  ["a ranking there", { evaluate: { ranking: true } }, /no model of all/, ALIKE],
  ["one model on both sides of a shift", SHIFTED, /leave shift out/],
  ["one there", SHIFTED, /leave shift out/, ALIKE],
  ["a server optimiser", { serverOptimiser: { name: "fedavgm", learningRate: 1, momentum: 0.9 } }, /tensors beside/],
  ["a schedule", { schedule: { name: "fedbuff" } }, /take one of both/],
  ["scores", { scoring: {}, serverData: { validation: 50 } }, /take one of both/],
  [
    "own models of an ensemble",
    { server: { name: "flcert-d" }, evaluate: { own: true } },
    /their group's model/,
    ONE_MODEL,
  ],
  ["logits without models", { client: base.client, ...FEDDF }, /two halves/, { ...ONE_MODEL, localTest: 0.2 }],
] as const) {
  test(`refused with the reason: ${name}`, () => {
    assert.throws(() => cellOf(change, from), reason);
  });
}

test("fewer unlabelled samples than the algorithm says are refused, and so is --chain", async () => {
  await assert.rejects(run({ serverData: { samples: SAMPLES - 1 } }), /set serverData\.samples/);
  assert.throws(() => requireRealRuns([cellOf({})]), /architectures of their own/);
});

test("the recipe heterogeneous-models is B17 with three architectures, and E20 with a student", async () => {
  const bare = { ...ONE_MODEL, model: undefined, serverData: undefined, members: 3, rounds: 2, localTest: 0.2 };
  const recipe = "heterogeneous-models";
  const functional = cellOf({ recipe, client: { samples: 30 } }, bare).config as FederationConfig;
  assert.equal(functional.models?.length, 3);
  assert.equal(functional.server?.name, "functional");
  const { members } = await assemble(functional, 1, surroundings());
  assert.equal(new Set(members.map(({ model }) => model.parameterCount)).size, 3);
  const distilled = cellOf({ recipe, ...FEDDF }, bare).config as FederationConfig;
  assert.equal(distilled.server?.name, "feddf");
});

test("FedAvg's members, asked for their own accuracy, have the model's", async () => {
  const { figures, final } = await run({ evaluate: { own: true } }, ONE_MODEL);
  assert.ok(Math.abs((figures["ownAccuracy"] as number) - (final.accuracy as number)) < 1e-12);
  assert.equal(figures["ownEnsembleAccuracy"], final.accuracy);
});
