// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { AggregationError } from "../../src/aggregation/aggregationError.ts";
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import type { RoundFacts } from "../../src/aggregation/rule.ts";
import { exactShapley, monteCarloShapley } from "../../src/incentives/shapley.ts";
import { agreedLoss } from "../../src/learning/agreedLoss.ts";
import { AGREED_ENGINE, type AgreedEngine, createAgreedEngine } from "../../src/learning/engines/agreed.ts";
import { initialiseParameters, parameterLayout } from "../../src/learning/layout.ts";
import { bitsOf } from "../../src/protocol/bitmap.ts";
import { fromHex } from "../../src/protocol/bytes.ts";
import { ConfigError } from "../../src/protocol/errors.ts";
import { masterFromFloat, splitMaster } from "../../src/protocol/grid.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { AggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";
import type { ScoringConfig } from "../../src/protocol/recipe/scoringConfig.ts";
import type { VerifiedUpdate } from "../../src/protocol/verifiedUpdate.ts";
import { ruledCoalitions, weighedCoalitions } from "../../src/round/coalitionModels.ts";
import type { RunContext } from "../../src/round/runContext.ts";
import { gameOf, type RoundGame, type Scorer, type ScoringInput, scoreUpdates } from "../../src/round/scoreUpdates.ts";
import { aggregateInMemory, BEACON, cloud, flatLayout, nameOf, updatesOf } from "../aggregation/fixtures.ts";

const ALPHA = 58_982;
const machinery = { kernels: referenceKernels };
/** A master unit is 2^-16 of an update's. */
const MASTER = 65_536;

/** As much of a run as its coalitions look at. */
function runOf(
  aggregation: AggregationConfig,
  layout = flatLayout(1),
  scoring: Partial<ScoringConfig> = {},
): RunContext {
  const recipe = { aggregation, scoring: { mode: "exact", permutations: 40, truncation: 0, ...scoring } };
  return { run: 1n, params: { alphaQ16: ALPHA }, recipe, layout } as unknown as RunContext;
}

async function inputOf(
  updates: readonly VerifiedUpdate[],
  { layout, recipe }: RunContext,
  parent: Float64Array,
  facts?: RoundFacts,
  reputations: readonly number[] = updates.map(() => 65_536),
): Promise<ScoringInput> {
  const config = recipe.aggregation;
  const more = facts === undefined ? {} : { facts };
  const round = { updates, reputations, alphaQ16: ALPHA, layout, config, master: parent, ...more };
  return {
    parent,
    updates,
    aggregated: await aggregateInMemory(round),
    reputations,
    ...more,
    beacon: BEACON,
    round: 1,
  };
}

/** One coordinate, so that what a rule makes of a coalition can be seen: 0, 1, 3 and 10 thousand. */
const LINE = [[0], [1_000], [3_000], [10_000]];

/** How far the model moves in each case, thousands of update units; undefined where the round would fail. */
const BY_HAND: readonly {
  readonly aggregation: AggregationConfig;
  readonly coalition: readonly number[];
  readonly rule: number | undefined;
  readonly weights: number;
}[] = [
  // Scores of all four from their two nearest: 1+9, 1+4, 4+9, 49+81; of three from their nearest: 9, 9, 49, the tie to the lowest.
  { aggregation: { rule: "krum", parameters: { byzantine: 0 } }, coalition: [0, 1, 2, 3], rule: 1, weights: 1 },
  { aggregation: { rule: "krum", parameters: { byzantine: 0 } }, coalition: [0, 2, 3], rule: 0, weights: 0 },
  { aggregation: { rule: "krum", parameters: { byzantine: 0 } }, coalition: [1, 2, 3], rule: 1, weights: 1 },
  { aggregation: { rule: "krum", parameters: { byzantine: 0 } }, coalition: [1, 2], rule: undefined, weights: 1 },
  { aggregation: { rule: "trimmed-mean", parameters: { trim: 1 } }, coalition: [0, 1, 2, 3], rule: 2, weights: 3.5 },
  { aggregation: { rule: "trimmed-mean", parameters: { trim: 1 } }, coalition: [0, 1, 3], rule: 1, weights: 11 / 3 },
  { aggregation: { rule: "trimmed-mean", parameters: { trim: 1 } }, coalition: [0, 3], rule: undefined, weights: 5 },
  { aggregation: { rule: "coordinate-median" }, coalition: [0, 1, 2, 3], rule: 2, weights: 3.5 },
  { aggregation: { rule: "coordinate-median" }, coalition: [1, 2, 3], rule: 3, weights: 14 / 3 },
  { aggregation: { rule: "coordinate-median" }, coalition: [0, 3], rule: undefined, weights: 5 },
];

for (const { aggregation, coalition, rule, weights } of BY_HAND)
  it(`${nameOf(aggregation)} of ${coalition.join(", ")}: ${rule ?? "a failed round"} by the rule, ${weights.toFixed(2)} by weights`, async () => {
    const run = runOf(aggregation);
    const input = await inputOf(updatesOf(LINE), run, Float64Array.of(7));
    const ruled = await ruledCoalitions(run, machinery, input)(coalition);
    assert.deepEqual(ruled, rule === undefined ? undefined : Float64Array.of(7 + rule * 1_000 * MASTER));
    const [weighed] = (await weighedCoalitions(run, machinery, input)(coalition)) as Float64Array;
    // λ of thirds are rounded to 2^-16.
    assert.ok(Math.abs((weighed as number) - 7 - weights * 1_000 * MASTER) <= 10_000, String(weighed));
    assert.deepEqual(input.parent, Float64Array.of(7), "the head's model stays");
  });

const SPFL: AggregationConfig = {
  rule: "spfl",
  parameters: { weighting: "softmax", audit: { filter: "tau", tau: 2 } },
};
/** A rule by reputation, one by contributions, one that draws by the beacon, one that mixes. */
const DECIDING: readonly { readonly aggregation: AggregationConfig; readonly facts?: RoundFacts }[] = [
  { aggregation: { rule: "byzfed", parameters: { filter: "tau", tau: 2, sizeWeighted: true } } },
  { aggregation: SPFL, facts: { contributions: [5_000, undefined, 900_000, -40, 70_000, 0, 3] } },
  { aggregation: { rule: "geometric-median", before: [{ step: "bucketing", size: 2 }] } },
  { aggregation: { rule: "uniform-mean", before: [{ step: "nearest-neighbour-mixing", byzantine: 1 }] } },
];

for (const { aggregation, facts } of DECIDING)
  it(`${nameOf(aggregation)}: a coalition is the round that its updates, reputations and facts alone would be`, async () => {
    const layout = flatLayout(5);
    const run = runOf(aggregation, layout);
    const updates = updatesOf(cloud(keyedRandom("coalitions"), 7, 5, 200, 5_000), [1, 5, 2, 9, 4, 3, 8]);
    const reputations = [65_536, 20_000, 50_000, 65_536, 1, 40_000, 9];
    const parent = Float64Array.of(1, 2, 3, 4, 5);
    const modelBy = ruledCoalitions(run, machinery, await inputOf(updates, run, parent, facts, reputations));
    const rows = [1, 2, 3, 5, 6];
    const chosen = <T>(all: readonly T[]): T[] => rows.map((row) => all[row] as T);
    const alone = await aggregateInMemory({
      updates: chosen(updates),
      reputations: chosen(reputations),
      ...(facts?.contributions === undefined ? {} : { facts: { contributions: chosen(facts.contributions) } }),
      alphaQ16: ALPHA,
      layout,
      config: aggregation,
      master: parent,
    });
    assert.deepEqual(await modelBy(rows), alone.master);
    assert.notDeepEqual(alone.master, await modelBy([0, 1, 2, 3, 4, 5, 6]));
  });

it("what the caller did wrong is no failed round: it is thrown", async () => {
  const run = runOf(SPFL);
  const input = await inputOf(updatesOf(LINE), run, Float64Array.of(0), { contributions: [1, 2, 3, 4] });
  const { facts: _, ...without } = input;
  const modelBy = ruledCoalitions(run, machinery, without);
  await assert.rejects(
    modelBy([0, 1, 2, 3]),
    (error) => error instanceof AggregationError && error.code === "MISSING_FACT",
  );
});

it("methods that ask for no coalitions are refused, by name", async () => {
  for (const method of ["in-run", "in-run-second-order"] as const) {
    const run = runOf({ rule: "weighted-mean" }, flatLayout(1), { method, coalitions: "rule" });
    const input = await inputOf(updatesOf(LINE), run, Float64Array.of(0));
    await assert.rejects(
      scoreUpdates(run, machinery as unknown as Parameters<typeof scoreUpdates>[1], input),
      (error) => error instanceof ConfigError && error.message.includes(method),
    );
  }
});

describe("the game of a round", () => {
  const MODEL: ModelConfig = { kind: "logistic", inputs: 2, classes: 2 };
  const layout = modelLayout(
    parameterLayout(MODEL).map(({ name, shape }) => ({ name, shape: [...shape], fractionBits: 18, group: 0 })),
  );
  const parent = masterFromFloat(initialiseParameters(MODEL, keyedRandom("game")), layout);
  const rows = cloud(keyedRandom("game updates"), 5, layout.size, 2_000, 60_000);
  let engine: AgreedEngine;
  let scorer: Scorer;
  before(async () => {
    engine = await createAgreedEngine({ package: "onnxruntime-web", version: AGREED_ENGINE.version, batchSize: 4 });
    const features = Float32Array.of(1, 0, 0, 1, 2, 1, -1, 1);
    scorer = {
      model: await engine.load(MODEL),
      heldOut: { features, labels: Int32Array.of(0, 1, 0, 1), inputs: 2, classes: 2, size: 4 },
    };
  });
  after(() => engine.dispose());
  const name = { beacon: fromHex(BEACON, 32), run: 1n, round: 1 };
  const lossOf = (master: Float64Array): Promise<bigint> =>
    agreedLoss(scorer.model, splitMaster(master, layout).view, scorer.heldOut);
  const played = async (
    aggregation: AggregationConfig,
    coalitions: "weights" | "rule" | undefined,
    samples?: readonly number[],
  ): Promise<{ run: RunContext; input: ScoringInput; game: RoundGame; gained: bigint }> => {
    const run = runOf(aggregation, layout, coalitions === undefined ? {} : { coalitions });
    const updates = updatesOf(rows, samples);
    const reputations = updates.map(() => 65_536);
    const input = await inputOf(updates, run, parent, undefined, reputations);
    const round = { updates, reputations, alphaQ16: ALPHA, layout, config: aggregation, master: parent };
    const gained = (await lossOf(parent)) - (await lossOf((await aggregateInMemory(round)).master));
    return { run, input, game: await gameOf(run, { scorer, ...machinery }, input), gained };
  };

  it("under the weighted mean both values are the same, bit for bit, where λ is exact", async () => {
    // Sums of powers of two: λ and all its restrictions are told exactly in 2^-16 or rounded alike.
    const samples = [1, 2, 4, 1, 8];
    const mean: AggregationConfig = { rule: "weighted-mean" };
    const games = [await played(mean, undefined, samples), await played(mean, "rule", samples)] as const;
    for (let coalition = 1n; coalition < 32n; coalition++)
      assert.equal(
        await games[0].game.utility(coalition),
        await games[1].game.utility(coalition),
        `{${bitsOf(coalition).join(", ")}}`,
      );
    const scores = await Promise.all(games.map(({ run, input }) => scoreUpdates(run, { scorer, ...machinery }, input)));
    assert.deepEqual(scores[0], scores[1]);
    assert.ok(scores[0]?.some((score) => score !== 0));
  });

  for (const aggregation of [
    { rule: "trimmed-mean", parameters: { trim: 1 } },
    { rule: "krum", parameters: { byzantine: 1 } },
  ] as const)
    it(`under ${nameOf(aggregation)} everybody plays, and exact and sampled scores add up to what the round gained`, async () => {
      const { game, gained, run, input } = await played(aggregation, "rule");
      const { game: byWeights } = await played(aggregation, "weights");
      assert.deepEqual(game.players, [0, 1, 2, 3, 4]);
      assert.equal(await game.utility(31n), gained);
      assert.notEqual(gained, 0n);
      assert.equal(await game.utility(0b11n), 0n, "two are too few for the rule");
      if (aggregation.rule === "trimmed-mean") assert.notEqual(await byWeights.utility(31n), gained);
      const exact = await exactShapley(5, game.utility);
      const sampled = await monteCarloShapley(5, game.utility, { ...name, permutations: 40, truncation: 0 });
      for (const scores of [exact, sampled]) {
        const sum = BigInt(scores.reduce((all, one) => all + one, 0));
        // Each is rounded down.
        assert.ok(sum <= gained && sum > gained - 5n, `${sum} of ${gained}`);
      }
      const own = await scoreUpdates(run, { scorer, ...machinery }, input);
      assert.deepEqual(
        own,
        sampled.map((score, i) => (input.aggregated.kept[i] ? score : 0)),
      );
    });
});
