// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { addWeighted } from "../../src/aggregation/addWeighted.ts";
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import { agreedLoss } from "../../src/learning/agreedLoss.ts";
import { AGREED_ENGINE, type AgreedEngine, createAgreedEngine } from "../../src/learning/engines/agreed.ts";
import { initialiseParameters, parameterLayout } from "../../src/learning/layout.ts";
import { masterFromFloat, splitMaster } from "../../src/protocol/grid.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";
import { inRunScores } from "../../src/round/inRunScores.ts";
import type { RunContext } from "../../src/round/runContext.ts";
import { type Scorer, scoreUpdates } from "../../src/round/scoreUpdates.ts";
import { BEACON, cloud, updatesOf } from "../aggregation/fixtures.ts";

const MODEL: ModelConfig = { kind: "logistic", inputs: 2, classes: 2 };
/** Two grids and two groups, so that both are told apart. */
const LAYOUT = modelLayout(
  parameterLayout(MODEL).map(({ name, shape }, i) => ({ name, shape: [...shape], fractionBits: 18 - 2 * i, group: i })),
);
const PARENT = masterFromFloat(initialiseParameters(MODEL, keyedRandom("in-run")), LAYOUT);

describe("inRunScores", () => {
  let engine: AgreedEngine;
  let scorer: Scorer;
  before(async () => {
    engine = await createAgreedEngine({ package: "onnxruntime-web", version: AGREED_ENGINE.version, batchSize: 4 });
    // Six samples: one whole batch and a part of another.
    const features = Float32Array.of(1, 0, 0, 1, 2, 1, -1, 1, 0.5, -3, 1, 1);
    const heldOut = { features, labels: Int32Array.of(0, 1, 0, 1, 1, 0), inputs: 2, classes: 2, size: 6 };
    scorer = { model: await engine.load(MODEL), heldOut };
  });
  after(() => engine.dispose());

  const rows = cloud(keyedRandom("in-run updates"), 4, LAYOUT.size, 0, 700);
  const weights = Uint32Array.from([20_000, 10_000, 0, 0, 30_000, 40_000, 15_536, 15_536]);
  const aggregated = { kept: [true, false, true, true], weights };
  const machinery = () => ({ scorer, kernels: referenceKernels });
  const input = () => ({
    parent: PARENT,
    updates: updatesOf(rows),
    aggregated,
    reputations: [65_536, 65_536, 65_536, 65_536],
    beacon: BEACON,
    round: 1,
  });

  it("are what each update alone takes away from the loss, for short movements; 0 for what is not kept", async () => {
    const scores = await inRunScores({ layout: LAYOUT }, 1, machinery(), input());
    const lossOf = (master: Float64Array): Promise<bigint> =>
      agreedLoss(scorer.model, splitMaster(master, LAYOUT).view, scorer.heldOut);
    const head = Number(await lossOf(PARENT));
    for (const [i, score] of scores.entries()) {
      const alone = weights.map((weight, at) => (Math.floor(at / 2) === i ? weight : 0));
      const taken = head - Number(await lossOf(await addWeighted(PARENT, updatesOf(rows), alone, LAYOUT)));
      // Second order: a movement of about 10^-3, squared, in 2^-20 nats; and the model's float view is rounded.
      assert.ok(Math.abs(score - taken) <= 6, `member ${i} scores ${score} and takes ${taken}`);
      assert.equal(score === 0, i === 1);
    }
  });

  it("are the recipe's scores where its method is in-run", async () => {
    const recipe = {
      aggregation: { rule: "weighted-mean" },
      scoring: { method: "in-run", permutations: 2, truncation: 0 },
    };
    const context = { run: 1n, recipe, layout: LAYOUT } as unknown as RunContext;
    const scores = await scoreUpdates(context, machinery(), input());
    assert.deepEqual(scores, await inRunScores({ layout: LAYOUT }, 1, machinery(), input()));
  });

  it("of second order add up to what a long movement takes away, where the first order is far off", async () => {
    const far = { ...input(), updates: updatesOf(cloud(keyedRandom("far"), 4, LAYOUT.size, -30_000, 30_000)) };
    const lossOf = (master: Float64Array): Promise<bigint> =>
      agreedLoss(scorer.model, splitMaster(master, LAYOUT).view, scorer.heldOut);
    const moved = await addWeighted(PARENT, far.updates, weights, LAYOUT);
    const taken = Number((await lossOf(PARENT)) - (await lossOf(moved)));
    const miss = async (order: 1 | 2): Promise<number> =>
      Math.abs(
        (await inRunScores({ layout: LAYOUT }, order, machinery(), far)).reduce((sum, one) => sum + one, 0) - taken,
      );
    const [first, second] = [await miss(1), await miss(2)];
    assert.ok(second < first / 10, `${second} against ${first} of ${taken}`);
    assert.ok(second < 0.05 * Math.abs(taken), `${second} of ${taken}`);
  });

  it("take a state that is longer than the model: what the loss does not see counts nothing", async () => {
    const longer = modelLayout([
      ...LAYOUT.tensors.map(({ name, shape, fractionBits, group }) => ({ name, shape, fractionBits, group })),
      { name: "control", shape: [3], fractionBits: 18, group: 0 },
    ]);
    const more = rows.map((row) => Int32Array.from([...row, 9_999, -9_999, 5]));
    const parent = Float64Array.from([...PARENT, 1, 2, 3]);
    assert.deepEqual(
      await inRunScores({ layout: longer }, 1, machinery(), { ...input(), parent, updates: updatesOf(more) }),
      await inRunScores({ layout: LAYOUT }, 1, machinery(), input()),
    );
  });
});
