// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FederationConfig } from "../../../src/simulation/laboratory/cellConfig.ts";
import { RECIPE_NAMES } from "../../../src/simulation/laboratory/recipes.ts";
import { laboratory } from "./laboratory.ts";

const { cellOf, run } = laboratory({
  members: 20,
  rounds: 1,
  data: { name: "s-mix", samples: 400, testSamples: 100 },
  partition: { kind: "iid" },
  model: { kind: "logistic" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.1, momentum: 0 },
});
const configOf = (change: Record<string, unknown>): FederationConfig => {
  const { config } = cellOf(change);
  assert.ok(!("study" in config));
  return config;
};

/** What a recipe cannot know of a cell, and a cell has to say beside it. */
const BESIDE: Readonly<Record<string, Record<string, unknown>>> = { "heterogeneous-models": { model: null } };

for (const recipe of RECIPE_NAMES)
  test(`the recipe ${recipe} gives a cell that is valid and possible`, () => {
    const config = configOf({ recipe, localTest: 0.2, ...BESIDE[recipe] });
    if (recipe.startsWith("hmsdfl+")) assert.equal(config.client?.name, "hmsdfl");
    if (recipe.startsWith("spfl")) assert.equal(config.scoring?.method, "gtg");
  });

test("fedsov-fixed changes the members' momentum and leaves the rest of their training", () => {
  const { training } = configOf({ recipe: "fedsov-fixed" });
  assert.deepEqual(training, { localEpochs: 1, batchSize: 20, learningRate: 0.1, momentum: 0.9 });
});

test("a fifth of the members of a round is reckoned with, wherever the cell says how many they are", () => {
  const trim = (change: Record<string, unknown>) => configOf({ recipe: "hmsdfl+trimean", ...change }).aggregation;
  assert.deepEqual(trim({}), { rule: "trimmed-mean", parameters: { trim: 4 } });
  assert.deepEqual(trim({ participation: 0.5 }), { rule: "trimmed-mean", parameters: { trim: 2 } });
  assert.deepEqual(trim({ members: 4 }), { rule: "trimmed-mean", parameters: { trim: 0 } });
  assert.deepEqual(trim({ aggregation: { parameters: { trim: 7 } } }), {
    rule: "trimmed-mean",
    parameters: { trim: 7 },
  });
  assert.throws(() => trim({ members: "many" }), /set members/);
});

test("Bulyan is for 4f + 3 members a round", () => {
  const rule = (members: number) => configOf({ recipe: "hmsdfl+bulyan", members }).aggregation;
  assert.deepEqual(rule(20), { rule: "bulyan", parameters: { byzantine: 4 } });
  assert.deepEqual(rule(11), { rule: "bulyan", parameters: { byzantine: 2 } });
  assert.throws(() => rule(10), /4f \+ 3 = 11 members a round to bear the f = 2 .* and 10 are invited/);
});

test("HMSDFL has tiers where the cell says how fast machines are", () => {
  const tiers = (change: Record<string, unknown>) => {
    const { client } = configOf({ recipe: "hmsdfl+median", ...change });
    return client?.name === "hmsdfl" ? client.tiers : undefined;
  };
  assert.equal(tiers({}), undefined);
  assert.ok(tiers({ resources: [5, 0.5] }) !== undefined);
});

for (const recipe of RECIPE_NAMES)
  test(`the recipe ${recipe} runs`, async () => {
    const { rounds, final, figures } = await run({ recipe, rounds: 2, localTest: 0.2, ...BESIDE[recipe] });
    assert.deepEqual([rounds.finalised, rounds.failed], [2, 0]);
    // Where models are the members' own, there is none of all.
    const measured = recipe === "heterogeneous-models" ? figures.ownAccuracy : final.accuracy;
    assert.ok((measured as number) > 0);
  });

for (const recipe of ["fedsov-paper", "fedsov-fixed-private"])
  test(`the noise of ${recipe} is the least that keeps the cell's rounds within the budget`, async () => {
    const noise = (change: Record<string, unknown>) => configOf({ recipe, ...change }).privacy;
    const spent = async (change: Record<string, unknown>): Promise<number> =>
      (await run({ recipe, rounds: 6, ...change })).final.epsilon as number;
    for (const [budget, cell] of [
      [4, {}],
      [4, { participation: 0.5 }],
      [1, { privacy: { budget: { epsilon: 1 } } }],
    ] as const) {
      const epsilon = await spent(cell);
      assert.ok(epsilon <= budget && epsilon > 0.98 * budget, `${epsilon} of ${budget}`);
    }
    assert.deepEqual(noise({}), { ...noise({ rounds: 1 }), budget: { epsilon: 4, delta: 1e-5 }, clipNorm: 1 });
    const own = noise({ privacy: { noiseMultiplier: 3, clipNorm: 0.5, budget: { delta: 1e-6 } } });
    assert.ok(own !== undefined && own.mode !== "none");
    assert.deepEqual([own.noiseMultiplier, own.clipNorm, own.budget], [3, 0.5, { epsilon: 4, delta: 1e-6 }]);
    assert.throws(() => noise({ rounds: "many" }), /noise follows from members, participation, rounds/);
  });

test("poisson cohorts, where the cell draws them, cost less noise", () => {
  const noise = (change: Record<string, unknown>): number => {
    const { privacy } = configOf({ recipe: "fedsov-fixed-private", rounds: 20, participation: 0.2, ...change });
    assert.ok(privacy?.mode === "distributed");
    return privacy.noiseMultiplier;
  };
  const poisson = { privacy: { sampling: { kind: "poisson", rate: 0.2, published: false } } };
  assert.ok(noise(poisson) < noise({}));
});

test("the robust half is clipped and sends a twentieth", async () => {
  const { update } = configOf({ recipe: "fedsov-fixed" });
  assert.equal(update.maxNorm, 2);
  const { parameters } = await run({ recipe: "fedsov-fixed", rounds: 1 });
  const keep = Math.round(0.05 * parameters);
  const named = await run({ recipe: "fedsov-fixed", rounds: 2 });
  const counted = await run({ recipe: "fedsov-fixed", rounds: 2, update: { codec: { keep, keepShare: null } } });
  assert.equal(counted.head, named.head);
});

test("what cannot be had is refused with what to take instead", () => {
  assert.throws(() => cellOf({ recipe: "private-robust" }), /cannot be had: .*multi-party.*take fedsov-fixed-private/);
  assert.throws(() => cellOf({ recipe: "fedsov" }), /there are fedavg, fedsov-paper, fedsov-fixed/);
});
