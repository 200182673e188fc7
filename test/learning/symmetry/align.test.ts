// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { initialiseParameters, parameterLayout, symmetryGroups } from "../../../src/learning/layout.ts";
import { referenceValueAndGradient } from "../../../src/learning/reference.ts";
import { mixUnits, permuteUnits } from "../../../src/learning/symmetry/act.ts";
import { alignToReference } from "../../../src/learning/symmetry/align.ts";
import type { SymmetryGroup } from "../../../src/learning/symmetry/symmetryGroup.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";

const image = { channels: 1, height: 8, width: 8 };
const MODELS: Record<string, { config: ModelConfig; groups?: RegExp }> = {
  MLP: { config: { kind: "mlp", inputs: 12, hidden: [20, 16], classes: 5, activation: "relu" } },
  CNN: {
    config: {
      kind: "cnn",
      inputs: 64,
      image,
      convolutions: [
        { channels: 6, kernel: 3, padding: "same", pool: 2 },
        { channels: 8, kernel: 3, padding: "same", pool: 2 },
      ],
      pool: "max",
      hidden: [10],
      classes: 4,
      activation: "relu",
    },
  },
  LSTM: { config: { kind: "lstm", inputs: 24, steps: 6, channels: 4, hidden: 16, layers: 2, classes: 3 } },
  "transformer's feed-forward units": {
    config: {
      kind: "transformer",
      inputs: 6,
      vocabulary: 30,
      width: 12,
      heads: 3,
      feedForward: 24,
      blocks: 2,
      normalisation: "pre",
      classes: 3,
    },
    groups: /ffn/,
  },
  "residual network": {
    config: {
      kind: "resnet",
      inputs: 64,
      image,
      stages: [6, 8],
      blocks: 1,
      normalisation: "group",
      groups: 1,
      classes: 4,
    },
  },
};

/** A random model with biases that tell its units apart, as training leaves them. */
function randomModel(config: ModelConfig, name: string): Float32Array {
  const random = keyedRandom("alignment", name);
  return initialiseParameters(config, random).map((value) => value + 0.1 * random.normal());
}

function shuffle(config: ModelConfig, parameters: Float32Array, which: RegExp): Float32Array {
  const random = keyedRandom("shuffle");
  return symmetryGroups(config)
    .filter(({ kind, name }) => kind === "permutation" && which.test(name))
    .reduce(
      (moved, group) => permuteUnits(parameterLayout(config), moved, group, random.permutation(group.size)),
      parameters,
    );
}

describe("alignToReference", () => {
  for (const [title, { config, groups = /./ }] of Object.entries(MODELS)) {
    it(`gives a randomly permuted ${title} back, bit for bit`, () => {
      const original = randomModel(config, title);
      const shuffled = shuffle(config, original, groups);
      assert.notDeepEqual(shuffled, original);
      const { parameters, changed } = alignToReference(config, shuffled, original, keyedRandom("order"));
      assert.deepEqual(parameters, original);
      assert.ok(changed);
    });
  }

  it("the specification's example: f(1) = 11, plainly averaged with its permuted copy 10.5, aligned and averaged 11", () => {
    const config: ModelConfig = { kind: "mlp", inputs: 1, hidden: [2], classes: 2, activation: "relu" };
    // W1 = (1, 2), no biases, W2 = (3, 4) for the first class; the second class is not used.
    const original = Float32Array.of(1, 2, 0, 0, 3, 4, 0, 0, 0, 0);
    const copy = Float32Array.of(2, 1, 0, 0, 4, 3, 0, 0, 0, 0);
    const f = (parameters: ArrayLike<number>): number =>
      referenceValueAndGradient(config, parameters, [1], 1, { targets: [0, 0] }).logits[0] as number;
    const mean = (a: Float32Array, b: Float32Array): Float32Array =>
      a.map((value, i) => (value + (b[i] as number)) / 2);
    assert.equal(f(original), 11);
    assert.equal(f(copy), 11);
    assert.equal(f(mean(original, copy)), 10.5);
    const { parameters } = alignToReference(config, copy, original, keyedRandom("order"));
    assert.equal(f(mean(original, parameters)), 11);
  });

  it("moves signs back too when told, for tanh", () => {
    const config: ModelConfig = { kind: "mlp", inputs: 6, hidden: [10], classes: 3, activation: "tanh" };
    const original = randomModel(config, "signs");
    const group = symmetryGroups(config)[0] as SymmetryGroup;
    const random = keyedRandom("signs");
    const signs = Array.from({ length: group.size }, () => (random.uniform() < 0.5 ? -1 : 1));
    const moved = permuteUnits(parameterLayout(config), original, group, random.permutation(group.size), signs);
    const { parameters } = alignToReference(config, moved, original, keyedRandom("order"), { signs: true });
    assert.deepEqual(parameters, original);
    const without = alignToReference(config, moved, original, keyedRandom("order"));
    assert.notDeepEqual(without.parameters, original);
  });

  it("turns rotated queries and keys back when told, to rounding", () => {
    const { config } = MODELS["transformer's feed-forward units"] as { config: ModelConfig };
    const layout = parameterLayout(config);
    const original = Float64Array.from(randomModel(config, "rotations"));
    const cosine = 0.8;
    const sine = 0.6;
    const turned = symmetryGroups(config)
      .filter(({ kind }) => kind === "orthogonal")
      .reduce<Float64Array>((parameters, group) => {
        // A rotation of the first two values of each head.
        const turn = Float64Array.from({ length: group.size ** 2 }, (_, i) => (i % (group.size + 1) === 0 ? 1 : 0));
        [turn[0], turn[1], turn[group.size], turn[group.size + 1]] = [cosine, -sine, sine, cosine];
        const back = turn.map((_, i) => turn[(i % group.size) * group.size + Math.floor(i / group.size)] as number);
        return mixUnits(layout, parameters, group, turn, back);
      }, original);
    const furthest = (a: Float64Array): number =>
      Math.max(...a.map((value, i) => Math.abs(value - (original[i] as number))));
    assert.ok(furthest(turned) > 0.1);
    const { parameters } = alignToReference(config, turned, original, keyedRandom("order"), { rotations: true });
    assert.ok(furthest(parameters) < 1e-12, `${furthest(parameters)}`);
    assert.ok(!alignToReference(config, turned, original, keyedRandom("order")).changed);
  });

  it("never moves away from the reference, and leaves a model near it alone", () => {
    const { config } = MODELS["LSTM"] as { config: ModelConfig };
    const [a, b] = [randomModel(config, "a"), randomModel(config, "b")];
    const distance = (x: Float32Array, y: Float32Array): number =>
      Math.sqrt(x.reduce((sum, value, i) => sum + (value - (y[i] as number)) ** 2, 0));
    const far = alignToReference(config, a, b, keyedRandom("order"));
    assert.ok(far.changed && distance(far.parameters, b) < distance(a, b));
    const near = a.map((value) => value + 0.001);
    const kept = alignToReference(config, near, a, keyedRandom("order"));
    assert.ok(!kept.changed);
    assert.deepEqual(kept.parameters, near);
  });

  it("matches more than 512 units greedily, to the same end for a permuted copy", () => {
    const config: ModelConfig = { kind: "mlp", inputs: 8, hidden: [520], classes: 2, activation: "relu" };
    const original = randomModel(config, "large");
    const { parameters } = alignToReference(config, shuffle(config, original, /./), original, keyedRandom("order"));
    assert.deepEqual(parameters, original);
  });

  it("leaves a model that is not finite as it is, and says so", () => {
    const { config } = MODELS["MLP"] as { config: ModelConfig };
    const original = randomModel(config, "finite");
    const broken = original.slice();
    broken[7] = NaN;
    const { parameters, changed, skipped } = alignToReference(config, broken, original, keyedRandom("order"));
    assert.deepEqual({ parameters, changed, skipped }, { parameters: broken, changed: false, skipped: true });
  });

  it("WRONG_SHAPE: vectors of another length", () => {
    const { config } = MODELS["MLP"] as { config: ModelConfig };
    const original = randomModel(config, "finite");
    const random = keyedRandom("order");
    assert.throws(() => alignToReference(config, original.subarray(1), original, random), { code: "WRONG_SHAPE" });
    assert.throws(() => alignToReference(config, original, original.subarray(1), random), { code: "WRONG_SHAPE" });
  });
});
