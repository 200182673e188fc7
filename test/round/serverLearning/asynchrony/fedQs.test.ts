// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { fedQsPolicy, feedbackFactor, meanLayerAngle } from "../../../../src/round/serverLearning/asynchrony/fedQs.ts";
import { asyncSchema } from "../../../../src/round/serverLearning/serverConfig.ts";

const CONFIG = asyncSchema.parse({ name: "fedqs", learningRate: 0.1 }) as Extract<
  ReturnType<typeof asyncSchema.parse>,
  { name: "fedqs" }
>;

const near = (actual: number | undefined, expected: number, tolerance = 1e-12): void =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) < tolerance, `${actual} instead of ${expected}`);

describe("FedQS", () => {
  it("ρ = .05 with no angle counts 1.015461 times; the angle at most fivefold", () => {
    near(feedbackFactor(0.05, 0), 1.015461, 5e-7);
    near(feedbackFactor(0.1, 1), 2);
    near(feedbackFactor(0.1, 7), 5);
  });

  it("is FedAvg on first visits: weights by samples, the members' own learning rate", () => {
    const policy = fedQsPolicy(CONFIG, { samples: (member) => 10 * (member + 1), angle: () => undefined });
    assert.deepEqual(policy.start?.(0), { learningRate: 0.1, factor: 1 });
    const arrivals = [0, 1, 2].map((member) => ({ member, staleness: 0, factor: 1 }));
    for (const [k, weight] of policy.weigh(arrivals).entries()) near(weight, (k + 1) / 6);
    const careful = fedQsPolicy({ ...CONFIG, stepSize: 0.5 }, { samples: () => 1, angle: () => undefined });
    for (const weight of careful.weigh(arrivals)) near(weight, 1 / 6);
  });

  it("slows the fast and unbiased down, speeds the slow up, and lets the biased speak louder", () => {
    const angles = [0.1, 0.2, 0.9];
    const policy = fedQsPolicy(CONFIG, { samples: () => 1, angle: (member) => angles[member] });
    // Arrivals 4, 2, 2 of 8: shares ½, ¼, ¼, median ¼. κ at lr₀ = .1 is .02.
    for (const [member, count] of [4, 2, 2].entries()) for (let n = 0; n < count; n++) policy.arrive?.(member);
    near(policy.start?.(0)?.learningRate, 0.1 - 0.02 * 0.5);
    assert.deepEqual(policy.start?.(1), { learningRate: 0.1, factor: 1 });
    const biased = policy.start?.(2);
    near(biased?.learningRate, 0.1);
    near(biased?.factor, feedbackFactor(0.25, 0.9 / 0.4));

    // A fourth member, much slower: shares 4/9, 2/9, 2/9, 1/9.
    policy.arrive?.(3);
    near(policy.start?.(3)?.learningRate, 0.1 + 0.02 * 2);
    const louder = policy.weigh([
      { member: 1, staleness: 0, factor: 1 },
      { member: 2, staleness: 0, factor: 3 },
    ]);
    assert.deepEqual(louder, [0.25, 0.75]);
  });

  it("never leaves learning rates of 1e-3 to 0.2", () => {
    const policy = fedQsPolicy(CONFIG, { samples: () => 1, angle: () => undefined });
    for (let n = 0; n < 30; n++) policy.arrive?.(0);
    for (const member of [1, 2, 2]) policy.arrive?.(member);
    let [fast, slow] = [0.1, 0.1];
    for (let n = 0; n < 500; n++) {
      fast = policy.start?.(0)?.learningRate as number;
      slow = policy.start?.(1)?.learningRate as number;
    }
    near(fast, 1e-3);
    near(slow, 0.2);
  });

  it("measures the mean angle over tensors: a right angle and a half turn are ¾π; zeros are left out", () => {
    const tensor = (offset: number, size: number) => ({ name: `t${offset}`, shape: [size], offset, size, head: false });
    const layout = [tensor(0, 2), tensor(2, 1), tensor(3, 1)];
    near(meanLayerAngle(Float64Array.of(1, 0, 2, 0), Float64Array.of(0, 3, -1, 1), layout), 0.75 * Math.PI, 1e-7);
    assert.equal(meanLayerAngle(new Float64Array(4), Float64Array.of(0, 3, -1, 1), layout), undefined);
    const single = [tensor(0, 2)];
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 3.1, noNaN: true }), (angle) => {
        const turned = Float64Array.of(Math.cos(angle), Math.sin(angle));
        near(meanLayerAngle(Float64Array.of(2, 0), turned, single), angle, 1e-7);
      }),
    );
  });
});
