// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parameterCount } from "../../../src/learning/layout.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import { attackLearner, attackSymmetry } from "../../../src/simulation/attacks/attackLearner.ts";
import { craftUpdates } from "../../../src/simulation/attacks/craftUpdates.ts";
import { moments, norm, squaredDistance } from "../../../src/simulation/attacks/vectors.ts";
import { perceptron } from "../../learning/algorithms/models.ts";
import { cloud, configOf } from "./fixtures.ts";

const model = perceptron(3, 5, 4);
const random = keyedRandom("attack learner");
const data = {
  features: Float32Array.from({ length: 90 }, () => random.normal()),
  labels: Int32Array.from({ length: 30 }, (_, i) => i % 4),
  inputs: 3,
  classes: 4,
  size: 30,
};
const parameters = Float32Array.from({ length: model.parameterCount }, () => 0.5 * random.normal());
const withAuxiliary = Float32Array.of(...parameters, 7, 8);

describe("what an optimising attack learns from", () => {
  it("is the gradient of the whole data's loss, and 0 for auxiliary tensors", async () => {
    const learner = attackLearner(model, data);
    const { loss, gradient } = await learner.loss(withAuxiliary);
    assert.deepEqual([gradient.length, gradient.at(-1), gradient.at(-2)], [withAuxiliary.length, 0, 0]);
    const step = 1e-3;
    const moved = withAuxiliary.map((value, j) => value - (step * (gradient[j] as number)) / norm(gradient));
    const after = (await learner.loss(moved)).loss;
    assert.ok(Math.abs((loss - after) / step - norm(gradient)) < 0.01 * norm(gradient));
  });

  it("is an estimate of the Jacobian's gradient that its own descent lowers", async () => {
    const learner = attackLearner(model, data);
    const gradient = await learner.jacobianGradient(withAuxiliary, random);
    assert.deepEqual([gradient.length, gradient.at(-1)], [withAuxiliary.length, 0]);
    assert.deepEqual(await learner.jacobianGradient(withAuxiliary, random), gradient);
    assert.ok(norm(gradient) > 0);
  });

  it("drives JAA away from the LIE point, up the loss", async () => {
    const honest = cloud("jaa", 6, model.parameterCount, 0.02, 0.05);
    const round = { round: 1, honest, attackers: [{ id: 1, update: honest[0] as Float64Array }], received: parameters };
    const seen = { ...round, rule: { rule: "weighted-mean" } as const, random, learner: attackLearner(model, data) };
    const jaa = (await craftUpdates(configOf("jaa", { z: 1.5, alpha: 0 }), seen)).get(1) as Float32Array;
    const lie = (await craftUpdates(configOf("lie", { z: 1.5 }), seen)).get(1) as Float32Array;
    const lossAt = async (update: Float32Array): Promise<number> =>
      (await attackLearner(model, data).loss(parameters.map((value, j) => value + (update[j] as number)))).loss;
    assert.ok((await lossAt(jaa)) > (await lossAt(lie)));
    assert.ok(Math.sqrt(squaredDistance(jaa, lie)) <= 0.75 * norm(moments(honest).deviation) * 1.001);
  });
});

describe("a disguise by symmetry", () => {
  it("moves the model's parameters and leaves auxiliary tensors alone", () => {
    const config: ModelConfig = { kind: "mlp", inputs: 1, hidden: [40], classes: 2, activation: "relu" };
    const size = parameterCount(config);
    const state = Float32Array.from({ length: size + 3 }, (_, i) => i);
    const moved = attackSymmetry({ config, parameterCount: size })(state, random);
    assert.notDeepEqual(moved, state);
    assert.deepEqual(moved.toSorted(), state);
    assert.deepEqual(moved.subarray(size), state.subarray(size));
  });
});
