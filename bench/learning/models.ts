// SPDX-License-Identifier: Apache-2.0
import { type ModelConfig, modelSchema } from "../../src/protocol/recipe/modelConfig.ts";

/** Samples of every step. */
export const BATCH = 64;

/** LeCun et al. 1998, with max pooling and ReLU; 61 706 parameters. */
export const LENET_5: ModelConfig = {
  kind: "cnn",
  inputs: 784,
  image: { channels: 1, height: 28, width: 28 },
  convolutions: [
    { channels: 6, kernel: 5, padding: "same", pool: 2 },
    { channels: 16, kernel: 5, padding: "valid", pool: 2 },
  ],
  pool: "max",
  hidden: [120, 84],
  classes: 10,
  activation: "relu",
};

/** What is trained, by name. */
export const MODELS = Object.entries({
  "logistic 64-10": { kind: "logistic", inputs: 64, classes: 10 },
  "mlp 784-128-10": { kind: "mlp", inputs: 784, hidden: [128], classes: 10, activation: "relu" },
  "lenet-5": LENET_5,
  "lstm 2x128, 32x9": { kind: "lstm", inputs: 288, steps: 32, channels: 9, hidden: 128, layers: 2, classes: 6 },
  "transformer block": {
    kind: "transformer",
    inputs: 32,
    vocabulary: 8192,
    width: 64,
    heads: 4,
    feedForward: 256,
    blocks: 1,
    normalisation: "pre",
    classes: 10,
  },
}).map(([name, config]) => ({ name, config: modelSchema.parse(config) }));

export type BenchModel = (typeof MODELS)[number];
