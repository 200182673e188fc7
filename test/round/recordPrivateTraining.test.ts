// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LocalTask } from "../../src/learning/algorithms/localAlgorithm.ts";
import type { Model } from "../../src/learning/model.ts";
import { secretStream } from "../../src/privacy/secretStream.ts";
import type { Dataset } from "../../src/protocol/dataset.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { type RecordPrivacy, recordPrivateTraining } from "../../src/round/recordPrivateTraining.ts";
import { points, quadratic } from "../learning/algorithms/models.ts";

const words: RecordPrivacy["words"] = (round) =>
  secretStream(new Uint8Array(32).fill(9), { run: 1n, round, purpose: "records" });
const plan = { localSteps: 10, batchSize: 4, learningRate: 0.1, momentum: 0 };
const taskOn = (shard: Dataset, round = 1): LocalTask => ({
  round,
  state: new Float32Array(1),
  shard,
  random: keyedRandom("task"),
  local: {},
  participation: 1,
});

describe("recordPrivateTraining", () => {
  it("with hardly any noise, no clipping and all samples in every batch, it is gradient descent", async () => {
    const privacy = { clipNorm: 1_000, noiseMultiplier: 1e-6, words };
    const seen: number[][] = [];
    const { delta } = await recordPrivateTraining(plan, quadratic(1, seen), privacy).train(taskOn(points(1, 2, 3, 6)));
    // w ← w − 0.1·(w − 3), ten times from 0.
    assert.ok(Math.abs((delta[0] as number) - 3 * (1 - 0.9 ** 10)) < 0.01, String(delta[0]));
    assert.equal(seen.length, 40);
    assert.ok(seen.every((batch) => batch.length === 1));
  });

  it("one sample moves a step by at most η·C/B, however far it lies", async () => {
    const privacy = { clipNorm: 2, noiseMultiplier: 1e-6, words };
    const oneStep = { ...plan, localSteps: 1, batchSize: 3 };
    const train = async (...values: number[]): Promise<number> =>
      (await recordPrivateTraining(oneStep, quadratic(1), privacy).train(taskOn(points(...values)))).delta[0] as number;
    const [near, far] = [await train(0.5, 1, 0), await train(0.5, 1, 1e9)];
    assert.ok(Math.abs(near - 0.1 * (1.5 / 3)) < 1e-5, String(near));
    assert.ok(Math.abs(far - near - 0.1 * (2 / 3)) < 1e-4, String(far - near));
  });

  it("noise zC/B on every step: √steps of it in the end, other noise in another round, the same again", async () => {
    const privacy = { clipNorm: 1, noiseMultiplier: 3, words };
    // All gradients are clipped to next to nothing beside the noise; η = 1 and one step.
    const step = { localSteps: 1, batchSize: 2, learningRate: 1, momentum: 0 };
    const algorithm = recordPrivateTraining(step, quadratic(1), privacy);
    const deltas: number[] = [];
    for (let round = 0; round < 400; round++)
      deltas.push((await algorithm.train(taskOn(points(0, 0), round))).delta[0] as number);
    const sd = Math.sqrt(deltas.reduce((sum, d) => sum + d * d, 0) / deltas.length);
    assert.ok(Math.abs(sd - 1.5) < 0.22, String(sd));
    assert.deepEqual((await algorithm.train(taskOn(points(0, 0), 7))).delta[0], deltas[7]);
  });

  it("a sample whose logits overflow counts nothing, and does not stop training: that would tell of it", async () => {
    const privacy = { clipNorm: 2, noiseMultiplier: 1e-6, words };
    const inner = quadratic(1);
    const overflowing: Model = {
      ...inner,
      async valueAndGradient(parameters, batch, request, mode) {
        const result = await inner.valueAndGradient(parameters, batch, request, mode);
        return batch.features[0] === 99
          ? { ...result, loss: Number.NaN, gradient: new Float32Array(1).fill(Infinity) }
          : result;
      },
    };
    const step = { ...plan, localSteps: 1, batchSize: 3 };
    const { delta, trainLoss } = await recordPrivateTraining(step, overflowing, privacy).train(
      taskOn(points(0.5, 1, 99)),
    );
    assert.ok(Math.abs((delta[0] as number) - 0.1 * (1.5 / 3)) < 1e-5, String(delta[0]));
    assert.ok(Number.isFinite(trainLoss));
  });

  it("refuses a model with dropout, and batches larger than the shard", async () => {
    const dropping: Model = {
      ...quadratic(1),
      config: { kind: "mlp", inputs: 1, hidden: [2], classes: 2, activation: "relu", dropout: 0.5 },
    };
    const privacy = { clipNorm: 1, noiseMultiplier: 1, words };
    assert.throws(() => recordPrivateTraining(plan, dropping, privacy), /knows no dropout/);
    await assert.rejects(
      recordPrivateTraining(plan, quadratic(1), privacy).train(taskOn(points(1, 2))),
      /smaller batch/,
    );
  });
});
