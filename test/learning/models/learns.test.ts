// SPDX-License-Identifier: Apache-2.0

/** Each architecture, from its own starting point, learns a small task that its kind is for. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { trainingMode } from "../../../src/learning/dropout.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { accuracy, meanLoss } from "../../../src/learning/evaluate.ts";
import { initialiseParameters } from "../../../src/learning/layout.ts";
import type { LearningEngine, OptimiserState } from "../../../src/learning/model.ts";
import type { Dataset } from "../../../src/protocol/dataset.ts";
import { keyedRandom, type Random } from "../../../src/protocol/random.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";

type Task = (random: Random) => { readonly values: readonly number[]; readonly label: number };

const image = { channels: 1, height: 8, width: 8 };

/** A bright patch of 2 × 2 anywhere; the class is the patch's diagonal pattern, which no single pixel shows. */
const pattern: Task = (random) => {
  const label = random.integerBelow(2);
  const values = Array.from({ length: 64 }, () => 0.2 * random.normal());
  const [row, column] = [random.integerBelow(7), random.integerBelow(7)];
  for (const [r, c] of label === 0
    ? [
        [0, 0],
        [1, 1],
      ]
    : [
        [0, 1],
        [1, 0],
      ])
    values[(row + (r as number)) * 8 + column + (c as number)] = 2;
  return { values, label };
};

/** Eight steps of two channels; the class is the sign of the first value, long ago. */
const memory: Task = (random) => {
  const values = Array.from({ length: 16 }, () => 0.3 * random.normal());
  const label = random.integerBelow(2);
  values[0] = label === 0 ? 1 : -1;
  return { values, label };
};

/** Tokens 1 and 2 somewhere in a text of length 8, padding behind; the class is which comes first. */
const order: Task = (random) => {
  const length = 4 + random.integerBelow(5);
  const values = Array.from({ length: 8 }, (_, t) => (t < length ? 3 + random.integerBelow(7) : 0));
  const places = random.permutation(length);
  const [one, two] = [places[0] as number, places[1] as number];
  values[one] = 1;
  values[two] = 2;
  return { values, label: one < two ? 1 : 0 };
};

/** The class is whether token 1 is there at all. */
const presence: Task = (random) => {
  const values = Array.from({ length: 8 }, () => 2 + random.integerBelow(8));
  const label = random.integerBelow(2);
  if (label === 1) values[random.integerBelow(8)] = 1;
  return { values, label };
};

const CASES: Record<string, { config: ModelConfig; task: Task; rate: number; steps: number }> = {
  "convolutional network": {
    config: {
      kind: "cnn",
      inputs: 64,
      image,
      convolutions: [{ channels: 8, kernel: 3, padding: "same", pool: 2 }],
      pool: "max",
      hidden: [16],
      classes: 2,
      activation: "relu",
      dropout: 0.1,
    },
    task: pattern,
    rate: 0.05,
    steps: 250,
  },
  "residual network": {
    config: {
      kind: "resnet",
      inputs: 64,
      image,
      stages: [8, 8],
      blocks: 1,
      normalisation: "group",
      groups: 2,
      classes: 2,
    },
    task: pattern,
    rate: 0.05,
    steps: 120,
  },
  LSTM: {
    config: { kind: "lstm", inputs: 16, steps: 8, channels: 2, hidden: 12, layers: 2, classes: 2, dropout: 0.1 },
    task: memory,
    rate: 0.2,
    steps: 250,
  },
  transformer: {
    config: {
      kind: "transformer",
      inputs: 8,
      vocabulary: 10,
      width: 16,
      heads: 2,
      feedForward: 32,
      blocks: 1,
      normalisation: "pre",
      classes: 2,
    },
    task: order,
    rate: 0.05,
    steps: 400,
  },
  "bag of embeddings": {
    config: { kind: "bagOfEmbeddings", inputs: 8, vocabulary: 10, width: 4, classes: 2 },
    task: presence,
    rate: 0.5,
    steps: 200,
  },
};

function sampled({ inputs, classes }: ModelConfig, task: Task, size: number, random: Random): Dataset {
  const samples = Array.from({ length: size }, () => task(random));
  return {
    features: Float32Array.from(samples.flatMap(({ values }) => values)),
    labels: Int32Array.from(samples, ({ label }) => label),
    inputs,
    classes,
    size,
  };
}

describe("architectures learn", () => {
  let engine: LearningEngine;
  before(async () => {
    engine = await createOnnxNodeEngine();
  });
  after(() => engine.dispose());

  for (const [title, { config, task, rate, steps }] of Object.entries(CASES)) {
    it(title, async () => {
      const random = keyedRandom("learns", title);
      const model = await engine.load(config);
      const fresh = sampled(config, task, 400, random.derive("test"));
      let state: OptimiserState = {
        parameters: initialiseParameters(config, random),
        velocity: new Float32Array(model.parameterCount),
      };
      const start = await meanLoss(model, state.parameters, fresh);
      for (let k = 0; k < steps; k++) {
        const batch = sampled(config, task, 32, random.derive("batch", k));
        const mode = trainingMode(config, batch.size, random.derive("masks", k));
        state = (await model.step?.(state, batch, { learningRate: rate, momentum: 0.9 }, mode)) as OptimiserState;
      }
      const reached = await accuracy(model, state.parameters, fresh);
      assert.ok(reached > 0.93, `accuracy ${reached}`);
      const end = await meanLoss(model, state.parameters, fresh);
      assert.ok(end < 0.4 * start, `loss ${end} after ${start}`);
    });
  }
});
