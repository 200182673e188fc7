// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { meanLoss } from "../../../src/learning/evaluate.ts";
import { initialiseParameters } from "../../../src/learning/layout.ts";
import type { LearningEngine, Model } from "../../../src/learning/model.ts";
import { exp, logSumExp } from "../../../src/protocol/math.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { fedMcon, layerGroups, logitGradient } from "../../../src/round/serverLearning/fedMcon.ts";
import type { MemberUpdate, ServerRound } from "../../../src/round/serverLearning/strategy.ts";
import { moved, weightedSum } from "../../../src/round/serverLearning/vectors.ts";
import { CONFIG, clusters, honestUpdates, mean } from "./federation.ts";

const OPTIONS = { steps: 20, learningRate: 1e-2, batchSize: 64, uniformPull: 0 };

describe("FedMcon", () => {
  let engine: LearningEngine;
  let model: Model;
  const start = initialiseParameters(CONFIG, keyedRandom("start"));
  const proxy = clusters("proxy", 60);
  before(async () => {
    engine = await createOnnxNodeEngine();
    model = await engine.load(CONFIG);
  });
  after(() => engine.dispose());

  const roundOf = (updates: readonly MemberUpdate[]): ServerRound => ({
    round: 1,
    parameters: start,
    updates,
    random: keyedRandom("round"),
    base: mean,
  });

  it("K = 2, L = 1, P = (½,½), ⟨g,Δ⟩ = (−1,1): ∂A = (−½,½), and twice that for γ = 2", () => {
    const [shares, products] = [Float64Array.of(0.5, 0.5), Float64Array.of(-1, 1)];
    assert.deepEqual([...logitGradient(shares, products, Float64Array.of(1), 0)], [-0.5, 0.5]);
    assert.deepEqual([...logitGradient(shares, products, Float64Array.of(2), 0)], [-1, 1]);
  });

  it("∂A is the slope of L + μ/2·Σ(P − 1/K)² for linear L (central differences, K = 3, L = 2)", () => {
    const [products, scales, pull] = [Float64Array.of(1, -2, 0.5, 3, -1, 0.2), Float64Array.of(1.3, 0.7), 0.8];
    const softmax = (logits: Float64Array): Float64Array =>
      logits.map((a, entry) => exp(a - logSumExp(logits.filter((_, other) => other % 2 === entry % 2))));
    const value = (logits: Float64Array): number =>
      softmax(logits).reduce(
        (sum, p, entry) =>
          sum + (scales[entry % 2] as number) * p * (products[entry] as number) + (pull / 2) * (p - 1 / 3) ** 2,
        0,
      );
    const logits = Float64Array.of(0.1, -0.4, 1, 0.2, -0.6, 0.3);
    const gradient = logitGradient(softmax(logits), products, scales, pull);
    for (let entry = 0; entry < 6; entry++) {
      const at = (by: number) => value(logits.with(entry, (logits[entry] as number) + by));
      assert.ok(Math.abs((at(1e-5) - at(-1e-5)) / 2e-5 - (gradient[entry] as number)) < 1e-9);
    }
  });

  it("starts as the uniform mean, whatever members' sample counts", async () => {
    const updates = (await honestUpdates(model, start, 3)).map((update, k) => ({ ...update, samples: 1 + 10 * k }));
    const strategy = fedMcon(model, proxy, { ...OPTIONS, steps: 0 }, keyedRandom("run"));
    const { outcome } = await strategy.aggregate(strategy.initial, roundOf(updates));
    const uniform = weightedSum(
      updates.map(({ delta }) => delta),
      [1 / 3, 1 / 3, 1 / 3],
    );
    assert.ok(outcome.delta.every((value, j) => Math.abs(value - (uniform[j] as number)) < 1e-12));
  });

  it("learns to leave a negated update out: its weight falls and the proxy loss is below the mean's", async () => {
    const updates = await honestUpdates(model, start, 4);
    const [first] = updates as [MemberUpdate];
    const attacked = updates.with(0, { ...first, delta: first.delta.map((value) => -2 * value) });
    const strategy = fedMcon(model, proxy, { ...OPTIONS, learningRate: 0.05 }, keyedRandom("run"));
    const once = await strategy.aggregate(strategy.initial, roundOf(attacked));
    const twice = await strategy.aggregate(once.state, roundOf(attacked));
    const liarsShare = ({ outcome }: typeof once) => (outcome.diagnostics.layerWeights as number[]).slice(0, 2);
    assert.ok(
      liarsShare(once).every((share) => share < 0.25),
      `${liarsShare(once)}`,
    );
    assert.ok(
      liarsShare(twice).every((share, l) => share < (liarsShare(once)[l] as number)),
      `${liarsShare(twice)}`,
    );
    const loss = (delta: ArrayLike<number>) => meanLoss(model, moved(start, Float64Array.from(delta)), proxy);
    assert.ok((await loss(once.outcome.delta)) < (await loss((await mean(attacked)).delta)));

    const again = await strategy.aggregate(strategy.initial, roundOf(attacked));
    assert.deepEqual(again, once);
  });

  it("stays near the mean under a strong pull towards uniform", async () => {
    const updates = await honestUpdates(model, start, 3);
    const shares = async (uniformPull: number) => {
      const strategy = fedMcon(model, proxy, { ...OPTIONS, uniformPull, learningRate: 0.05 }, keyedRandom("run"));
      const { outcome } = await strategy.aggregate(strategy.initial, roundOf(updates));
      return Math.max(...(outcome.diagnostics.layerWeights as number[]).map((share) => Math.abs(share - 1 / 3)));
    };
    assert.ok((await shares(1000)) < 0.5 * (await shares(0)));
  });

  it("groups a layer's tensors by name", () =>
    assert.deepEqual(layerGroups(model.layout), [
      { offset: 0, size: 40 },
      { offset: 40, size: 27 },
    ]));
});
