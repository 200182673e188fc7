// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LENET_5 } from "../../bench/learning/models.ts";
import { featureWidth, initialiseParameters, parameterCount, parameterLayout } from "../../src/learning/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";
import { ALL_MODELS } from "../fixtures/models.ts";

const DIGITS: ModelConfig = { kind: "mlp", inputs: 64, hidden: [32], classes: 10, activation: "relu" };
const TRANSFORMER: ModelConfig = {
  kind: "transformer",
  inputs: 16,
  vocabulary: 100,
  width: 8,
  heads: 2,
  feedForward: 32,
  blocks: 1,
  normalisation: "post",
  classes: 4,
};

const shapesOf = (config: ModelConfig): Record<string, readonly number[]> =>
  Object.fromEntries(parameterLayout(config).map(({ name, shape }) => [name, shape]));

describe("parameterLayout", () => {
  it("is PyTorch's order and shapes for 64-32-10", () => {
    assert.deepEqual(parameterLayout(DIGITS), [
      { name: "layer1.weight", shape: [32, 64], offset: 0, size: 2048, head: false },
      { name: "layer1.bias", shape: [32], offset: 2048, size: 32, head: false },
      { name: "layer2.weight", shape: [10, 32], offset: 2080, size: 320, head: true },
      { name: "layer2.bias", shape: [10], offset: 2400, size: 10, head: true },
    ]);
    assert.equal(parameterCount(DIGITS), 2410);
  });

  it("of logistic regression is one layer, the head", () => {
    assert.deepEqual(
      parameterLayout({ kind: "logistic", inputs: 3, classes: 2 }).map(({ name, shape, head }) => ({
        name,
        shape,
        head,
      })),
      [
        { name: "layer1.weight", shape: [2, 3], head: true },
        { name: "layer1.bias", shape: [2], head: true },
      ],
    );
  });

  it("of LeNet-5 is PyTorch's, 61 706 parameters", () => {
    assert.deepEqual(shapesOf(LENET_5), {
      "conv1.weight": [6, 1, 5, 5],
      "conv1.bias": [6],
      "conv2.weight": [16, 6, 5, 5],
      "conv2.bias": [16],
      "dense1.weight": [120, 400],
      "dense1.bias": [120],
      "dense2.weight": [84, 120],
      "dense2.bias": [84],
      "head.weight": [10, 84],
      "head.bias": [10],
    });
    assert.equal(parameterCount(LENET_5), 61_706);
    assert.equal(featureWidth(LENET_5), 84);
  });

  it("of a signal's network convolves along time only", () => {
    const config: ModelConfig = {
      kind: "cnn",
      inputs: 128,
      image: { channels: 1, height: 1, width: 128 },
      convolutions: [{ channels: 8, kernel: 5, padding: "same", pool: 2 }],
      pool: "max",
      hidden: [],
      classes: 5,
      activation: "relu",
    };
    assert.deepEqual(shapesOf(config), {
      "conv1.weight": [8, 1, 1, 5],
      "conv1.bias": [8],
      "head.weight": [5, 512],
      "head.bias": [5],
    });
  });

  it("of an LSTM is torch.nn.LSTM's", () => {
    const config: ModelConfig = {
      kind: "lstm",
      inputs: 288,
      steps: 32,
      channels: 9,
      hidden: 128,
      layers: 2,
      classes: 6,
    };
    assert.deepEqual(shapesOf(config), {
      "lstm.weight_ih_l0": [512, 9],
      "lstm.weight_hh_l0": [512, 128],
      "lstm.bias_ih_l0": [512],
      "lstm.bias_hh_l0": [512],
      "lstm.weight_ih_l1": [512, 128],
      "lstm.weight_hh_l1": [512, 128],
      "lstm.bias_ih_l1": [512],
      "lstm.bias_hh_l1": [512],
      "head.weight": [6, 128],
      "head.bias": [6],
    });
  });

  it("of a transformer block is torch.nn.TransformerEncoderLayer's", () => {
    const shapes = shapesOf(TRANSFORMER);
    assert.deepEqual(shapes["embedding.weight"], [100, 8]);
    assert.deepEqual(shapes["position.weight"], [16, 8]);
    const block = Object.entries(shapes)
      .filter(([name]) => name.startsWith("encoder.layers.0."))
      .map(([name, shape]) => [name.slice("encoder.layers.0.".length), shape]);
    assert.deepEqual(Object.fromEntries(block), {
      "self_attn.in_proj_weight": [24, 8],
      "self_attn.in_proj_bias": [24],
      "self_attn.out_proj.weight": [8, 8],
      "self_attn.out_proj.bias": [8],
      "linear1.weight": [32, 8],
      "linear1.bias": [32],
      "linear2.weight": [8, 32],
      "linear2.bias": [8],
      "norm1.weight": [8],
      "norm1.bias": [8],
      "norm2.weight": [8],
      "norm2.bias": [8],
    });
  });

  it("with a projection head has linear–ReLU–linear before the last layer, whose inputs are the features", () => {
    const config: ModelConfig = { ...DIGITS, projection: 16 } as ModelConfig;
    assert.deepEqual(shapesOf(config), {
      "layer1.weight": [32, 64],
      "layer1.bias": [32],
      "projection1.weight": [32, 32],
      "projection1.bias": [32],
      "projection2.weight": [16, 32],
      "projection2.bias": [16],
      "layer2.weight": [10, 16],
      "layer2.bias": [10],
    });
    assert.equal(featureWidth(config), 16);
    const twoStages = { ...ALL_MODELS["residual network"], projection: 5 } as ModelConfig;
    assert.deepEqual(shapesOf(twoStages)["projection1.weight"], [6, 6]);
    assert.deepEqual(shapesOf(twoStages)["head.weight"], [3, 5]);
  });

  it("counts every tensor once, in order, for every architecture, and marks the head", () => {
    for (const config of Object.values(ALL_MODELS)) {
      let offset = 0;
      for (const tensor of parameterLayout(config)) {
        assert.equal(tensor.offset, offset, tensor.name);
        offset += tensor.size;
      }
      assert.equal(parameterCount(config), offset);
      const head = parameterLayout(config).filter(({ head }) => head);
      assert.deepEqual(
        head.map(({ shape }) => shape),
        [[config.classes, featureWidth(config)], [config.classes]],
      );
    }
  });

  it("refuses extents that do not fit each other", () => {
    const cnn = ALL_MODELS["convolutions, max pool, a row and a column left over"] as ModelConfig & { kind: "cnn" };
    const layer = { channels: 3, kernel: 3, padding: "valid", pool: 2 } as const;
    const lstm = ALL_MODELS["an LSTM of one step"] as ModelConfig & { kind: "lstm" };
    const resnet = ALL_MODELS["residual network"] as ModelConfig & { kind: "resnet" };
    const wrong: Record<string, ModelConfig> = {
      "an image that is not the inputs": { ...cnn, inputs: 100 },
      "a kernel larger than the image": { ...cnn, convolutions: [{ ...layer, kernel: 9 }] },
      "pooled to nothing": { ...cnn, convolutions: [layer, layer, layer] },
      "an even kernel that keeps the size": { ...cnn, convolutions: [{ ...layer, kernel: 2, padding: "same" }] },
      "steps that are not the inputs": { ...lstm, steps: 2 },
      "channels that groups do not divide": { ...resnet, groups: 4 },
      "heads that do not divide the width": { ...TRANSFORMER, heads: 3 },
    };
    for (const [what, config] of Object.entries(wrong))
      assert.throws(() => parameterLayout(config), { code: "BAD_CONFIG" }, what);
  });

  it("refuses widths that are not positive integers, and models beyond the protocol's size", () => {
    for (const width of [0, -1, 1.5, NaN]) {
      assert.throws(() => parameterLayout({ ...DIGITS, hidden: [width] }), { code: "BAD_CONFIG" });
    }
    assert.throws(() => parameterLayout({ ...DIGITS, hidden: [100_000, 100_000] }), { code: "BAD_CONFIG" });
  });
});

describe("initialiseParameters", () => {
  const deviation = (values: Float32Array): number =>
    Math.sqrt(values.reduce((sum, w) => sum + w * w, 0) / values.length);

  it("spreads weights as He and Glorot say, and leaves biases at zero", () => {
    const config: ModelConfig = { kind: "mlp", inputs: 200, hidden: [100], classes: 50, activation: "relu" };
    const parameters = initialiseParameters(config, keyedRandom("spread"));
    const [w1, b1, w2, b2] = parameterLayout(config).map(({ offset, size }) =>
      parameters.subarray(offset, offset + size),
    ) as [Float32Array, Float32Array, Float32Array, Float32Array];
    // Standard error of a deviation estimated from n normals is σ/√(2n): 0.5 % and 1 %.
    assert.ok(Math.abs(deviation(w1) / Math.sqrt(2 / 200) - 1) < 0.02, `${deviation(w1)}`);
    assert.ok(Math.abs(deviation(w2) / Math.sqrt(2 / 150) - 1) < 0.04, `${deviation(w2)}`);
    assert.ok([...b1, ...b2].every((b) => Object.is(b, 0)));
  });

  it("starts norms as the identity, and LSTM weights uniformly within 1/√hidden with the forget gate open", () => {
    const tensors = (config: ModelConfig): Record<string, Float32Array> => {
      const parameters = initialiseParameters(config, keyedRandom("start"));
      return Object.fromEntries(
        parameterLayout(config).map(({ name, offset, size }) => [name, parameters.subarray(offset, offset + size)]),
      );
    };
    const transformer = tensors(TRANSFORMER);
    assert.ok(transformer["encoder.layers.0.norm1.weight"]?.every((w) => w === 1));
    assert.ok(transformer["encoder.layers.0.norm1.bias"]?.every((w) => w === 0));
    const lstm = tensors({ kind: "lstm", inputs: 6, steps: 2, channels: 3, hidden: 16, layers: 1, classes: 2 });
    const weights = lstm["lstm.weight_hh_l0"] as Float32Array;
    assert.ok(weights.every((w) => Math.abs(w) <= 0.25) && weights.some((w) => Math.abs(w) > 0.24));
    const forget = Float32Array.from({ length: 64 }, (_, i) => (i >= 16 && i < 32 ? 1 : 0));
    assert.deepEqual(lstm["lstm.bias_ih_l0"], forget);
    assert.ok(lstm["lstm.bias_hh_l0"]?.every((w) => w === 0));
  });

  it("is a function of the stream's name alone", () => {
    const first = initialiseParameters(DIGITS, keyedRandom("seed", 1));
    const advanced = keyedRandom("seed", 1);
    advanced.normal();
    assert.deepEqual(initialiseParameters(DIGITS, advanced), first);
    assert.notDeepEqual(initialiseParameters(DIGITS, keyedRandom("seed", 2)), first);
  });
});
