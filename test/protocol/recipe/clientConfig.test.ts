// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import { trainingSchema } from "../../../src/protocol/recipe/trainingConfig.ts";

describe("client algorithms of a recipe", () => {
  it("a name is enough where the specification has defaults, which are then written out", () => {
    for (const [name, expected] of [
      ["fedavg", {}],
      ["fedsgd", { fraction: 1 }],
      ["local-sgd", { momentumState: "reset" }],
      ["fedprox", { mu: 0.01, partialWork: false }],
      ["scaffold", { option: "II" }],
      ["moon", { mu: 1, temperature: 0.5, projection: false }],
      ["msdfl", { form: "rademacher", weight: 1e-4, epsilon: 1e-2 }],
      ["hmsdfl", { weight: 1e-3, projections: 1, epsilon: 1e-2, msdflWeight: 1e-4 }],
      ["fedeba", { gradientAlpha: 0.5, fairGradient: "walked", modelAlpha: 0 }],
      ["fedpa", { samples: 5, shrinkage: 0.4, burnIn: 0.5, burnInRounds: 0 }],
      ["sam", { space: "parameters", rho: 0.05 }],
    ] as const)
      assert.deepEqual(clientSchema.parse({ name }), { name, ...expected });
    const inputs = { name: "sam", space: "inputs" };
    assert.deepEqual(clientSchema.parse(inputs), { ...inputs, epsilon: 0.05 });
    const spfl = clientSchema.parse({ name: "spfl" });
    assert.ok(spfl.name === "spfl");
    assert.deepEqual(
      [spfl.permutationWeight, spfl.rotationWeight, spfl.maxAngle, spfl.literalWeight],
      [0.01, 0.1, 0.1, 0],
    );
  });

  it("every number has bounds, and what is not known is refused", () => {
    for (const wrong of [
      { name: "local-sgd", momentumState: "kept" },
      { name: "fedprox", mu: -1 },
      { name: "fedprox", mu: Infinity },
      { name: "fedprox", mu: 0.1, nu: 1 },
      { name: "fedsgd", fraction: 0 },
      { name: "fedsgd", fraction: 1.1 },
      { name: "moon", temperature: 0 },
      { name: "hmsdfl", projections: 0 },
      { name: "hmsdfl", tiers: { high: 1, low: 2, min: 3 } },
      { name: "fedmeta", supportShare: 1 },
      { name: "fedpa", shrinkage: 0 },
      { name: "lora", rank: 0 },
      { name: "functional" },
      { name: "sam", space: "inputs", rho: 0.05 },
      { name: "sam", space: "inputs", epsilon: 0 },
      { name: "sam", epsilon: 0.05 },
      { name: "sam", space: "labels" },
      { name: "fedsomething" },
    ])
      assert.ok(!clientSchema.safeParse(wrong).success, JSON.stringify(wrong));
  });
});

describe("a training plan", () => {
  const plan = { batchSize: 8, learningRate: 0.1, momentum: 0 };
  it("has steps or epochs, not both and not neither", () => {
    assert.ok(trainingSchema.safeParse({ ...plan, localSteps: 5 }).success);
    assert.ok(trainingSchema.safeParse({ ...plan, localEpochs: 2, dropLast: true, weightDecay: 1e-4 }).success);
    const adam = { batchSize: 8, learningRate: 0.001, optimiser: "adam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    assert.ok(trainingSchema.safeParse({ ...adam, localEpochs: 1 }).success);
    for (const wrong of [
      plan,
      { ...plan, localSteps: 5, localEpochs: 2 },
      { ...plan, localSteps: 5, dropLast: true },
      { ...plan, localSteps: 5, weightDecay: -1 },
      { ...adam, localEpochs: 1, momentum: 0.9 },
    ])
      assert.ok(!trainingSchema.safeParse(wrong).success, JSON.stringify(wrong));
  });
});
