// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { contrast } from "../../../src/learning/algorithms/moon.ts";
import { drawRotations, rotate, rotationTerm } from "../../../src/learning/algorithms/rotationConsistency.ts";
import { localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import { referenceValueAndGradient } from "../../../src/learning/reference.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import { modelSchema } from "../../../src/protocol/recipe/modelConfig.ts";
import { clusters, gaussian, perceptron, referenceModel, taskOf } from "./models.ts";

const PLAN = { localSteps: 5, batchSize: 8, learningRate: 0.1, momentum: 0.9 };

describe("MOON's contrast", () => {
  it("cos_g = 0.8, cos_p = 0.2, τ = 0.5: ln(1 + e^−1.2) = 0.263282", () => {
    const { loss } = contrast([1, 0], [0.8, 0.6], [0.2, Math.sqrt(0.96)], 0.5);
    assert.ok(Math.abs(loss - 0.263282) < 1e-6);
  });
  it("the received model in both places: ln 2, no gradient", () => {
    const { loss, gradient } = contrast([1, 2, 3], [3, 1, 2], [3, 1, 2], 0.5);
    assert.ok(Math.abs(loss - Math.LN2) < 1e-12);
    assert.deepEqual([...gradient], [0, 0, 0]);
  });
  it("the gradient agrees with differences", () => {
    const [z, global, previous] = [
      [0.3, -1.2, 0.8],
      [1, 0.2, -0.5],
      [-0.4, 0.9, 0.1],
    ] as const;
    const { gradient } = contrast(z, global, previous, 0.3);
    for (let i = 0; i < 3; i++) {
      const at = (by: number) =>
        contrast(
          z.map((v, j) => v + (i === j ? by : 0)),
          global,
          previous,
          0.3,
        ).loss;
      assert.ok(Math.abs((at(1e-6) - at(-1e-6)) / 2e-6 - (gradient[i] as number)) < 1e-8);
    }
  });
  it("a representation of length 0 has cosine 0 and no gradient; large contrasts do not overflow", () => {
    const { loss, gradient } = contrast([0, 0], [1, 0], [0, 1], 0.5);
    assert.ok(Math.abs(loss - Math.LN2) < 1e-12);
    assert.deepEqual([...gradient], [0, 0]);
    const far = contrast([1, 0], [-1, 0], [1, 0], 1e-3);
    assert.ok(Math.abs(far.loss - 2000) < 1e-6);
    assert.ok(far.gradient.every(Number.isFinite));
  });
});

describe("MOON", () => {
  const model = perceptron(4, 5, 3);
  const start = gaussian(model.parameterCount);
  const shard = clusters(40);
  const moon = (more = {}) => localAlgorithm(clientSchema.parse({ name: "moon", ...more }), PLAN, model);

  it("is FedAvg in a member's first round, and remembers the local model", async () => {
    const first = await moon().train(taskOf(start, shard));
    assert.deepEqual(first.delta, (await localAlgorithm(undefined, PLAN, model).train(taskOf(start, shard))).delta);
    assert.deepEqual(
      first.local["previous"],
      start.map((w, i) => Math.fround(w + (first.delta[i] as number))).map((w, i) => first.local["previous"]?.[i] ?? w),
    );
    const second = await moon().train(taskOf(start, shard, { local: first.local }));
    assert.notDeepEqual(second.delta, first.delta);
  });
  it("with μ = 0 is FedAvg in every round", async () => {
    const local = { previous: gaussian(model.parameterCount, 0.5, "previous") };
    const { delta } = await moon({ mu: 0 }).train(taskOf(start, shard, { local }));
    assert.deepEqual(delta, (await localAlgorithm(undefined, PLAN, model).train(taskOf(start, shard))).delta);
  });
  it("one step follows the gradient of CE + μ·mean ℓ_con", async () => {
    const local = { previous: gaussian(model.parameterCount, 0.5, "previous") };
    const plan = { localEpochs: 1, batchSize: 40, learningRate: 2 ** -6, momentum: 0 };
    const algorithm = localAlgorithm(clientSchema.parse({ name: "moon", mu: 2 }), plan, model);
    const { delta } = await algorithm.train(taskOf(start, shard, { local }));
    const features = async (w: Float32Array) => (await model.forward(w, shard, { phase: "eval" })).features;
    const [global, previous] = [await features(start), await features(local.previous)];
    const objective = async (w: Float32Array): Promise<number> => {
      const z = await features(w);
      const { loss } = await model.valueAndGradient(w, shard, {}, { phase: "train" });
      let sum = 0;
      for (let b = 0; b < 40; b++) {
        const of = (values: Float32Array) => values.subarray(5 * b, 5 * b + 5);
        sum += contrast(of(z), of(global), of(previous), 0.5).loss / 40;
      }
      return loss + 2 * sum;
    };
    for (let i = 0; i < start.length; i += 7) {
      const at = (by: number) => objective(start.map((w, j) => (i === j ? w + by : w)));
      const slope = ((await at(2 ** -9)) - (await at(-(2 ** -9)))) / 2 ** -8;
      assert.ok(Math.abs(-(delta[i] as number) / 2 ** -6 - slope) < 2e-4, `[${i}] ${delta[i]}, slope ${slope}`);
    }
  });
  it("contrasts the outputs of a projection head: one step follows the gradient of CE + μ·mean ℓ_con", async () => {
    const config = modelSchema.parse({
      kind: "mlp",
      inputs: 4,
      hidden: [5],
      classes: 3,
      activation: "tanh",
      projection: 6,
    });
    const projecting = referenceModel(config);
    const [received, last] = ["received", "last"].map((name) => gaussian(projecting.parameterCount, 0.5, name)) as [
      Float32Array,
      Float32Array,
    ];
    const plan = { localEpochs: 1, batchSize: 40, learningRate: 2 ** -6, momentum: 0 };
    const algorithm = localAlgorithm(clientSchema.parse({ name: "moon", mu: 2, projection: true }), plan, projecting);
    const { delta } = await algorithm.train(taskOf(received, shard, { local: { previous: last } }));
    const targets = new Float64Array(120);
    shard.labels.forEach((label, b) => (targets[3 * b + label] = 1));
    const at = (w: ArrayLike<number>) => referenceValueAndGradient(config, w, shard.features, 40, { targets });
    const [global, previous] = [at(received).features, at(last).features];
    assert.equal(global.length, 40 * 6);
    const objective = (w: ArrayLike<number>): number => {
      const { loss, features: z } = at(w);
      const of = (values: Float64Array, b: number) => values.subarray(6 * b, 6 * b + 6);
      const terms = Array.from({ length: 40 }, (_, b) => contrast(of(z, b), of(global, b), of(previous, b), 0.5).loss);
      return loss + (2 * terms.reduce((sum, value) => sum + value, 0)) / 40;
    };
    const exact = Float64Array.from(received);
    for (let i = 0; i < exact.length; i += 5) {
      const moved = (by: number) => objective(exact.map((w, j) => (i === j ? w + by : w)));
      const slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
      assert.ok(Math.abs(-(delta[i] as number) / 2 ** -6 - slope) < 2e-5, `[${i}] ${delta[i]}, slope ${slope}`);
    }
  });
  it("refuses a projection head that the model lacks, and one that it would not contrast", () => {
    assert.throws(() => moon({ projection: true }), { code: "BAD_CONFIG", message: /has no projection head/ });
    const mlp = { kind: "mlp", inputs: 4, hidden: [5], classes: 3, activation: "relu", projection: 6 };
    const projecting = referenceModel(modelSchema.parse(mlp));
    assert.throws(() => localAlgorithm(clientSchema.parse({ name: "moon" }), PLAN, projecting), {
      code: "BAD_CONFIG",
      message: /projection head of 6 values/,
    });
    const without = referenceModel(modelSchema.parse({ ...mlp, projection: undefined }));
    assert.throws(() => localAlgorithm(clientSchema.parse({ name: "moon", projection: true }), PLAN, without), {
      code: "BAD_CONFIG",
    });
  });
});

describe("small rotations", () => {
  it("Givens by 0.1 takes (1, 0) to (0.995004, 0.099833), and back", () => {
    const v = Float64Array.of(1, 0);
    const rotations = [{ a: 0, b: 1, cosine: Math.cos(0.1), sine: Math.sin(0.1) }];
    rotate(v, rotations);
    assert.ok(Math.abs((v[0] as number) - 0.9950041653) < 1e-10 && Math.abs((v[1] as number) - 0.0998334166) < 1e-10);
    rotate(v, rotations, true);
    assert.ok(Math.abs((v[0] as number) - 1) < 1e-15 && Math.abs(v[1] as number) < 1e-15);
  });
  it("pairs are disjoint, as many as fit, and angles within bounds", () => {
    const drawn = drawRotations(keyedRandom("r"), 7, 9, 0.2);
    assert.equal(drawn.length, 3);
    assert.equal(new Set(drawn.flatMap(({ a, b }) => [a, b])).size, 6);
    for (const { cosine } of drawn) assert.ok(cosine >= Math.cos(0.2));
  });
  it("the term's gradients agree with differences, the first softmax held constant", () => {
    const [classes, width, size] = [3, 4, 2];
    const rotations = drawRotations(keyedRandom("fd"), width, 2, 0.8);
    const weight = gaussian(classes * width, 1, "V");
    const bias = gaussian(classes, 1, "b");
    const features = gaussian(size * width, 1, "z");
    const term = rotationTerm({ weight, bias }, features, rotations);
    assert.ok(term.value > 0);
    const softmax = (logits: number[]): number[] => {
      const e = logits.map(Math.exp);
      const sum = e.reduce((a, b) => a + b, 0);
      return e.map((value) => value / sum);
    };
    const head = (V: ArrayLike<number>, b: ArrayLike<number>, z: ArrayLike<number>): number[] =>
      Array.from({ length: classes }, (_, c) => {
        let sum = b[c] as number;
        for (let i = 0; i < width; i++) sum += (V[c * width + i] as number) * (z[i] as number);
        return sum;
      });
    const targets = Array.from({ length: size }, (_, s) =>
      softmax(head(weight, bias, features.subarray(s * width, (s + 1) * width))),
    );
    const value = (V: Float64Array, b: Float64Array, z: Float64Array): number => {
      let sum = 0;
      for (let s = 0; s < size; s++) {
        const turned = z.slice(s * width, (s + 1) * width);
        rotate(turned, rotations);
        for (const [c, q] of softmax(head(V, b, turned)).entries()) {
          const p = targets[s]?.[c] as number;
          sum += (p * Math.log(p / q)) / size;
        }
      }
      return sum;
    };
    const parts = [Float64Array.from(weight), Float64Array.from(bias), Float64Array.from(features)] as const;
    assert.ok(Math.abs(value(...parts) - term.value) < 1e-12);
    for (const [which, gradient] of [term.weight, term.bias, term.features].entries()) {
      for (let i = 0; i < gradient.length; i++) {
        const at = (by: number): number => {
          const moved = parts.map((part) => part.slice()) as unknown as typeof parts;
          const part = moved[which] as Float64Array;
          part[i] = (part[i] as number) + by;
          return value(...moved);
        };
        assert.ok(Math.abs((at(1e-6) - at(-1e-6)) / 2e-6 - (gradient[i] as number)) < 1e-8);
      }
    }
  });
});

describe("SPFL", () => {
  const model = perceptron(4, 5, 3);
  const start = gaussian(model.parameterCount);
  const shard = clusters(40);
  const spfl = (more: Record<string, unknown>) =>
    localAlgorithm(clientSchema.parse({ name: "spfl", ...more }), PLAN, model);

  it("with every part switched off is FedAvg, bit for bit", async () => {
    const off = { permutationWeight: 0, rotationWeight: 0, align: false };
    const { delta } = await spfl(off).train(taskOf(start, shard));
    assert.deepEqual(delta, (await localAlgorithm(undefined, PLAN, model).train(taskOf(start, shard))).delta);
  });
  it("rotations of angle 0 pull nowhere", async () => {
    const none = { permutationWeight: 0, rotationWeight: 5, maxAngle: 0, align: false };
    const { delta } = await spfl(none).train(taskOf(start, shard));
    const plain = await localAlgorithm(undefined, PLAN, model).train(taskOf(start, shard));
    for (let i = 0; i < delta.length; i++)
      assert.ok(Math.abs((delta[i] as number) - (plain.delta[i] as number)) < 1e-6);
  });
  it("rotations make the head consistent under them", async () => {
    const plan = { ...PLAN, localSteps: 60, learningRate: 0.05, momentum: 0 };
    const inconsistency = async (rotationWeight: number): Promise<number> => {
      const more = { permutationWeight: 0, rotationWeight, maxAngle: 0.5, align: false };
      const { delta } = await localAlgorithm(clientSchema.parse({ name: "spfl", ...more }), plan, model).train(
        taskOf(start, shard),
      );
      const w = start.map((value, i) => value + (delta[i] as number));
      const { features } = await model.forward(w, shard, { phase: "eval" });
      const [weight, bias] = model.layout
        .filter(({ head }) => head)
        .map(({ offset, size }) => w.subarray(offset, offset + size)) as [Float32Array, Float32Array];
      const values = Array.from({ length: 40 }, (_, r) =>
        rotationTerm({ weight, bias }, features, drawRotations(keyedRandom("fresh", r), 5, 2, 0.5)),
      );
      return values.reduce((sum, { value }) => sum + value / 40, 0);
    };
    const [with5, without] = [await inconsistency(5), await inconsistency(0)];
    assert.ok(with5 < 0.8 * without, `${with5} against ${without}`);
  });
});
