// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gather } from "../../../src/learning/algorithms/batches.ts";
import { jacobianTerm, unitDirections } from "../../../src/learning/algorithms/hmsdfl.ts";
import { jacobianNorm } from "../../../src/learning/algorithms/jacobianNorm.ts";
import { marginDistance } from "../../../src/learning/algorithms/marginDistance.ts";
import { exactTerm, squaredTerm } from "../../../src/learning/algorithms/msdfl.ts";
import { localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import { addScaled } from "../../../src/learning/algorithms/vectors.ts";
import { EVALUATION, type Model, TRAINING } from "../../../src/learning/model.ts";
import type { Dataset } from "../../../src/protocol/dataset.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import { clusters, gaussian, perceptron, taskOf } from "./models.ts";
import { dot, jacobianOf, slopeOf, squaredNormGradient } from "./oneHiddenLayer.ts";

/** The specification's golden network: x = (1, 2), tanh, W1, b1, W2, b2. */
const GOLDEN = Float32Array.of(0.5, -0.3, 0.8, 0.2, 0.1, -0.1, 1, -1, 0.5, 0.25, 0, 0);
const network = perceptron(2, 2, 2);
const sample = (label = 0): Dataset => ({
  features: Float32Array.of(1, 2),
  labels: Int32Array.of(label),
  inputs: 2,
  classes: 2,
  size: 1,
});
const near = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void => {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    assert.ok(Math.abs(a - e) <= tolerance, `[${i}] is ${a}, not ${e}`);
  }
};

describe("Jacobian norms of logits", () => {
  it("the golden network: ‖J‖_F² = 11.604135", async () => {
    assert.ok(Math.abs((await jacobianNorm(network, GOLDEN, sample())) - 11.604135475) < 1e-5);
  });

  /** The quotients' sum over a basis q = e_1 … e_C: the term has C/B in front, the sum 1. */
  const overBasis = async (
    model: Model,
    parameters: Float32Array,
    features: Float32Array,
    epsilon: number,
  ): Promise<Float64Array> => {
    const { classes } = model.config;
    const sum = new Float64Array(parameters.length);
    for (let c = 0; c < classes; c++) {
      const basis = Float32Array.from({ length: classes }, (_, k) => Number(k === c));
      const { gradient } = await jacobianTerm(model, parameters, { features, size: 1 }, basis, TRAINING, epsilon);
      addScaled(sum, 1 / classes, gradient);
    }
    return sum;
  };
  const GOLDEN_GRADIENT = [0, 0, -1.483603, -2.967205, 0, -1.483603, 12, -1.548307, 6, 0.387077, 0, 0];

  it("the golden network: the closed form used below gives the specification's gradient", () => {
    const { features } = sample();
    // The network's parameters are rounded to float32, the specification's values to six digits.
    near(squaredNormGradient({ inputs: 2, hidden: 2, classes: 2 }, GOLDEN, features), GOLDEN_GRADIENT, 2e-6);
  });

  it("the golden network: the basis' quotients are those of float64 within 1e-4, and their limit is the gradient within 1e-4", async () => {
    const net = { inputs: 2, hidden: 2, classes: 2 };
    const { features } = sample();
    const inFloat64 = (epsilon: number): Float64Array => {
      const sum = new Float64Array(12);
      for (const q of [
        [1, 0],
        [0, 1],
      ]) {
        const slope = slopeOf(net, GOLDEN, features, q);
        const length = Math.sqrt(dot(slope, slope));
        const [above, below] = [epsilon, -epsilon].map((step) =>
          slopeOf(
            net,
            slope.map((value, i) => (GOLDEN[i] as number) + (step * value) / length),
            features,
            q,
          ),
        ) as [Float64Array, Float64Array];
        for (let i = 0; i < 12; i++)
          sum[i] = (sum[i] as number) + (length / epsilon) * ((above[i] as number) - (below[i] as number));
      }
      return sum;
    };
    const [step, half] = [
      await overBasis(network, GOLDEN, features, 1e-2),
      await overBasis(network, GOLDEN, features, 5e-3),
    ];
    near(step, inFloat64(1e-2), 1e-4);
    near(half, inFloat64(5e-3), 1e-4);
    // At ε = 1e-2 the quotient itself, in float64 too, is off by 1.7e-3 in a coordinate of 12 (1.3e-4 of the gradient's length), and by a quarter of it at
    // half the step: what is left without the term in ε² is below 1e-4.
    near(
      half.map((value, i) => (4 * value - (step[i] as number)) / 3),
      GOLDEN_GRADIENT,
      1e-4,
    );
  });

  it("a 5-8-4 tanh network: norm and gradient agree with their closed forms, the gradient within 1e-4", async () => {
    const net = { inputs: 5, hidden: 8, classes: 4 };
    const model = perceptron(5, 8, 4);
    const parameters = gaussian(model.parameterCount);
    const features = gaussian(5, 1, "x");
    const data: Dataset = { features, labels: new Int32Array(1), inputs: 5, classes: 4, size: 1 };
    const norm = jacobianOf(net, parameters, features).reduce((sum, row) => sum + dot(row, row), 0);
    assert.ok(Math.abs((await jacobianNorm(model, parameters, data)) - norm) < 1e-6 * norm);
    // Measured: 9e-5 in the worst coordinate, of up to 5; 1.8e-5 of the gradient's length.
    near(await overBasis(model, parameters, features, 1e-2), squaredNormGradient(net, parameters, features), 1e-4);
  });

  it("a linear model: exactly C(‖x‖² + 1) whatever the projection, and no gradient", async () => {
    const linear = perceptron(3, 4);
    const features = Float32Array.of(1, -2, 0.5);
    const parameters = gaussian(linear.parameterCount);
    const data: Dataset = { features, labels: Int32Array.of(1), inputs: 3, classes: 4, size: 1 };
    const expected = 4 * (1 + 4 + 0.25 + 1);
    assert.ok(Math.abs((await jacobianNorm(linear, parameters, data)) - expected) < 1e-5);
    for (let draw = 0; draw < 5; draw++) {
      const directions = unitDirections(keyedRandom("q", draw), 1, 4);
      const term = await jacobianTerm(linear, parameters, data, directions, TRAINING, 1e-2);
      assert.ok(Math.abs(term.value - expected) < 1e-5);
      near(term.gradient, new Float32Array(linear.parameterCount), 1e-6);
    }
  });

  it("the projected norm is unbiased: its mean is the exact one within 4 standard errors", async () => {
    const model = perceptron(3, 6, 4);
    const parameters = gaussian(model.parameterCount);
    const features = gaussian(12, 1, "x");
    const data: Dataset = { features, labels: new Int32Array(4), inputs: 3, classes: 4, size: 4 };
    const exact = await jacobianNorm(model, parameters, data);
    const random = keyedRandom("unbiased");
    const draws: number[] = [];
    for (let draw = 0; draw < 1500; draw++) {
      const logits = unitDirections(random, 4, 4);
      const alone = await model.valueAndGradient(
        parameters,
        { features, size: 4 },
        { cotangents: { logits } },
        EVALUATION,
      );
      draws.push((4 / 4) * alone.gradient.reduce((sum, g) => sum + g * g, 0));
    }
    const mean = draws.reduce((sum, value) => sum + value, 0) / draws.length;
    const variance = draws.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (draws.length - 1);
    assert.ok(Math.abs(mean - exact) < 4 * Math.sqrt(variance / draws.length), `${mean}, not ${exact}`);
  });
});

describe("MSDFL", () => {
  it("the golden network: ‖∇_θ p_0‖ = 0.481107", async () => {
    const { value } = await exactTerm(network, GOLDEN, gather(sample(0), [0]), TRAINING, 1e-2);
    assert.ok(Math.abs(value - 0.481107363) < 1e-6);
  });
  it("two classes, zero weights, no bias in x = (3, 4): ‖J‖ is 1.76777 without the bias's part", async () => {
    const linear = perceptron(2, 2);
    const data: Dataset = { features: Float32Array.of(3, 4), labels: Int32Array.of(0), inputs: 2, classes: 2, size: 1 };
    const { value } = await exactTerm(linear, new Float32Array(6), gather(data, [0]), TRAINING, 1e-2);
    // Our layer has a bias: ‖(x, 1)‖ = √26 in place of 5.
    assert.ok(Math.abs(value - (1.76777 * Math.sqrt(26)) / 5) < 1e-5);
  });
  it("signs are unbiased for the mean squared norm; all +1 is not", async () => {
    const model = perceptron(3, 5, 3);
    const parameters = gaussian(model.parameterCount);
    const data = { ...clusters(8), inputs: 3, features: gaussian(24, 1, "signs") };
    const batch = gather(data, [0, 1, 2, 3, 4, 5]);
    let exact = 0;
    for (let b = 0; b < 6; b++) {
      const one = await squaredTerm(model, parameters, gather(data, [b]), Float32Array.of(1), EVALUATION, 1e-2);
      exact += one.value / 6;
    }
    // All 64 choices of signs: the mean is exact, not only near.
    let mean = 0;
    for (let pattern = 0; pattern < 64; pattern++) {
      const signs = Float32Array.from({ length: 6 }, (_, b) => ((pattern >> b) & 1 ? 1 : -1));
      mean += (await squaredTerm(model, parameters, batch, signs, EVALUATION, 1e-2)).value / 64;
    }
    assert.ok(Math.abs(mean - exact) < 1e-5 * exact, `${mean}, not ${exact}`);
    const plus = await squaredTerm(model, parameters, batch, new Float32Array(6).fill(1), EVALUATION, 1e-2);
    assert.ok(Math.abs(plus.value - exact) > 0.05 * exact);
  });
  for (const form of ["exact", "squared"] as const) {
    it(`${form}: the gradient agrees with differences of the value`, async () => {
      const model = perceptron(2, 3, 3);
      const parameters = gaussian(model.parameterCount, 0.7);
      const data: Dataset = {
        features: gaussian(6, 1, "fd"),
        labels: Int32Array.of(0, 2, 1),
        inputs: 2,
        classes: 3,
        size: 3,
      };
      const batch = gather(data, [0, 1, 2]);
      const signs = Float32Array.of(1, -1, 1);
      const term = (w: Float32Array) =>
        form === "exact"
          ? exactTerm(model, w, batch, EVALUATION, 1e-2)
          : squaredTerm(model, w, batch, signs, EVALUATION, 1e-2);
      const { gradient } = await term(parameters);
      for (let i = 0; i < parameters.length; i++) {
        const shifted = async (by: number): Promise<number> => {
          const w = parameters.slice();
          w[i] = (w[i] as number) + by;
          return (await term(w)).value;
        };
        const slope = ((await shifted(2 ** -7)) - (await shifted(-(2 ** -7)))) / 2 ** -6;
        // Measured: 4.4e-5, most of it the quotient's own term in ε².
        assert.ok(Math.abs(slope - (gradient[i] as number)) < 1e-4, `[${i}] ${gradient[i]}, not ${slope}`);
      }
    });
  }
});

describe("margin distance", () => {
  it("of a linear model is the margin over the gradient's length, negative where it errs", async () => {
    const linear = perceptron(2, 2);
    const parameters = Float32Array.of(1, 0, 0, 0, 0, 0);
    const data = (label: number): Dataset => ({ ...sample(label), features: Float32Array.of(2, 0) });
    // z = (2, 0): p = σ(2); ∇(p₀ − p₁) = 2p₀p₁·(x, 1, −x, −1), of length 2p₀p₁·√(2·5).
    const p = 1 / (1 + Math.exp(-2));
    const expected = (2 * p - 1) / (2 * p * (1 - p) * Math.sqrt(10));
    assert.ok(Math.abs((await marginDistance(linear, parameters, data(0))) - expected) < 1e-5);
    assert.ok(Math.abs((await marginDistance(linear, parameters, data(1))) + expected) < 1e-5);
  });
});

describe("training with a penalty on Jacobians", () => {
  const model = perceptron(4, 6, 3);
  const start = gaussian(model.parameterCount, 0.3, "start");
  const shard = clusters(60);
  const plan = { localSteps: 40, batchSize: 10, learningRate: 0.1, momentum: 0 };
  const trained = async (client: Record<string, unknown>, resource?: number): Promise<Float32Array> => {
    const algorithm = localAlgorithm(clientSchema.parse(client), plan, model);
    const { delta } = await algorithm.train(taskOf(start, shard, { resource }));
    return start.map((w, i) => w + (delta[i] as number));
  };

  it("HMSDFL makes the Jacobian smaller than plain training does", async () => {
    const plain = await jacobianNorm(model, await trained({ name: "hmsdfl", weight: 0 }), shard, 20);
    const damped = await jacobianNorm(model, await trained({ name: "hmsdfl", weight: 3e-3 }), shard, 20);
    assert.ok(damped < 0.9 * plain, `${damped} against ${plain}`);
  });
  it("HMSDFL's penalty is a mean over projections: more of them are no heavier", async () => {
    const once = { localSteps: 1, batchSize: 10, learningRate: 1, momentum: 0 };
    const stepOf = async (client: Record<string, unknown>): Promise<Float32Array> =>
      (await localAlgorithm(clientSchema.parse(client), once, model).train(taskOf(start, shard))).delta;
    const plain = await stepOf({ name: "fedavg" });
    const lengthOf = async (projections: number): Promise<number> => {
      const step = await stepOf({ name: "hmsdfl", weight: 1, projections });
      return Math.hypot(...step.map((value, i) => value - (plain[i] as number)));
    };
    const [one, sixteen] = [await lengthOf(1), await lengthOf(16)];
    assert.ok(sixteen > one / 4 && sixteen < 4 * one, `${sixteen} against ${one}`);
  });
  it("weight 0 is FedAvg, bit for bit", async () => {
    const plain = await trained({ name: "fedavg" });
    for (const name of ["hmsdfl", "msdfl"]) assert.deepEqual(await trained({ name, weight: 0 }), plain);
  });
  it("tiers: each member does what its resource allows, and says what it has", async () => {
    const tiers = { high: 4, low: 2, min: 1, lowMethod: "msdfl" };
    const withTiers = (resource?: number) => trained({ name: "hmsdfl", weight: 1e-3, tiers }, resource);
    assert.deepEqual(await withTiers(0.5), await trained({ name: "fedavg" }));
    assert.deepEqual(await withTiers(1.5), await trained({ name: "msdfl" }));
    assert.deepEqual(await withTiers(9), await trained({ name: "hmsdfl", weight: 1e-3, projections: 3 }));
    await assert.rejects(withTiers(), { code: "UNSUPPORTED" });
  });
  it("every form of MSDFL trains, and gives another model than plain training", async () => {
    const plain = await trained({ name: "fedavg" });
    for (const form of ["exact", "rademacher", "ref"])
      assert.notDeepEqual(await trained({ name: "msdfl", form, weight: 1e-2 }), plain);
  });
  it("a model without a derivative there gets none: a gradient of 0 is skipped", async () => {
    const flat: Model = perceptron(4, 3);
    // A linear model's logits do not bend: HMSDFL changes nothing but rounding.
    const client = clientSchema.parse({ name: "hmsdfl", weight: 1 });
    const zero = new Float32Array(flat.parameterCount);
    const one = { ...plan, localSteps: 1 };
    const [penalised, plain] = await Promise.all(
      [client, undefined].map((config) => localAlgorithm(config, one, flat).train(taskOf(zero, shard))),
    );
    near(penalised?.delta ?? [], plain?.delta ?? [], 1e-5);
  });
});
