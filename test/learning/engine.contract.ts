// SPDX-License-Identifier: Apache-2.0

/** What every learning engine must do, whatever runs underneath. One suite, run over each implementation. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { initialiseParameters, parameterLayout } from "../../src/learning/layout.ts";
import {
  EVALUATION,
  type LearningEngine,
  type Model,
  type OptimiserState,
  type StepResult,
  TRAINING,
} from "../../src/learning/model.ts";
import { referenceValueAndGradient } from "../../src/learning/reference.ts";
import { composedStep } from "../../src/learning/optimisers/heavyBall.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";

const CONFIGS: Record<string, ModelConfig> = {
  "logistic regression": { kind: "logistic", inputs: 7, classes: 4 },
  "one hidden layer": { kind: "mlp", inputs: 7, hidden: [6], classes: 3, activation: "relu" },
  "three hidden layers": { kind: "mlp", inputs: 5, hidden: [8, 3, 6], classes: 4, activation: "relu" },
};

interface Problem {
  readonly parameters: Float32Array;
  readonly features: Float32Array;
  readonly labels: Int32Array;
  readonly softTargets: Float32Array;
  readonly logitCotangent: Float32Array;
  readonly featureCotangent: Float32Array;
  readonly size: number;
}

/** Random data in which biases matter and some ReLUs are off. */
function problemOf(config: ModelConfig, size: number): Problem {
  const random = keyedRandom("engine contract", JSON.stringify(config), size);
  const normals = (count: number, scale = 1): Float32Array =>
    Float32Array.from({ length: count }, () => scale * random.normal());
  const parameters = initialiseParameters(config, random);
  for (const { name, offset, size: count } of parameterLayout(config)) {
    if (name.endsWith(".bias")) parameters.set(normals(count, 0.3), offset);
  }
  const width = config.kind === "mlp" ? (config.hidden.at(-1) as number) : config.inputs;
  return {
    parameters,
    features: normals(size * config.inputs),
    labels: Int32Array.from({ length: size }, () => random.integerBelow(config.classes)),
    softTargets: Float32Array.from(Array.from({ length: size }, () => [...random.dirichlet(1, config.classes)]).flat()),
    logitCotangent: normals(size * config.classes, 0.1),
    featureCotangent: normals(size * width, 0.1),
    size,
  };
}

function oneHot(labels: Int32Array, classes: number): Float32Array {
  const rows = new Float32Array(labels.length * classes);
  labels.forEach((label, b) => (rows[b * classes + label] = 1));
  return rows;
}

/** Float32 results against float64 ones: relative to the largest value, since sums cancel. */
function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string, tolerance = 2e-6): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  let scale = 1e-3;
  for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i] as number));
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((actual[i] as number) - (expected[i] as number));
    assert.ok(difference <= tolerance * scale, `${what}[${i}]: ${actual[i]} instead of ${expected[i]}`);
  }
}

export function engineContract(create: () => Promise<LearningEngine>, size = 5): void {
  let engine: LearningEngine;
  before(async () => {
    engine = await create();
  });
  after(() => engine.dispose());

  for (const [title, config] of Object.entries(CONFIGS)) {
    describe(title, () => {
      const problem = problemOf(config, size);
      const { parameters, features, labels } = problem;
      const batch = { features, labels, size };
      let model: Model;
      before(async () => {
        model = await engine.load(config);
      });

      it("has the layout of its configuration", () => {
        assert.deepEqual(model.layout, parameterLayout(config));
        assert.equal(model.parameterCount, parameters.length);
      });

      it("forward gives the reference's logits and features", async () => {
        const expected = referenceValueAndGradient(config, parameters, features, size, {
          targets: oneHot(labels, config.classes),
        });
        const { logits, features: hidden } = await model.forward(parameters, { features, size }, EVALUATION);
        assertClose(logits, expected.logits, "logits");
        assertClose(hidden, expected.features, "features");
      });

      it("value and gradient for labels are the reference's", async () => {
        const expected = referenceValueAndGradient(config, parameters, features, size, {
          targets: oneHot(labels, config.classes),
        });
        const result = await model.valueAndGradient(parameters, batch, { wantInputs: true }, TRAINING);
        assertClose([result.loss], [expected.loss], "loss");
        assertClose(result.logits, expected.logits, "logits");
        assertClose(result.features, expected.features, "features");
        assertClose(result.gradient, expected.gradient, "gradient");
        assertClose(result.inputGradient as Float32Array, expected.inputGradient, "inputGradient");
      });

      it("soft targets and both cotangents enter as the port says", async () => {
        const { softTargets, logitCotangent, featureCotangent } = problem;
        const expected = referenceValueAndGradient(config, parameters, features, size, {
          targets: softTargets,
          logitCotangent,
          featureCotangent,
        });
        const request = {
          softTargets,
          cotangents: { logits: logitCotangent, features: featureCotangent },
          wantInputs: true,
        };
        const result = await model.valueAndGradient(parameters, batch, request, TRAINING);
        assertClose([result.loss], [expected.loss], "loss");
        assertClose(result.gradient, expected.gradient, "gradient");
        assertClose(result.inputGradient as Float32Array, expected.inputGradient, "inputGradient");
      });

      it("without targets only the cotangents are differentiated", async () => {
        const { logitCotangent } = problem;
        const targets = new Float32Array(size * config.classes);
        const expected = referenceValueAndGradient(config, parameters, features, size, { targets, logitCotangent });
        const result = await model.valueAndGradient(
          parameters,
          { features, size },
          { cotangents: { logits: logitCotangent } },
          TRAINING,
        );
        assert.ok(result.loss === 0);
        assertClose(result.gradient, expected.gradient, "gradient");
      });

      it("target rows of another mass weigh their samples", async () => {
        const softTargets = oneHot(labels, config.classes).map((t, i) => t * Math.floor(i / config.classes));
        const expected = referenceValueAndGradient(config, parameters, features, size, { targets: softTargets });
        const result = await model.valueAndGradient(parameters, batch, { softTargets }, TRAINING);
        assertClose([result.loss], [expected.loss], "loss");
        assertClose(result.gradient, expected.gradient, "gradient");
      });

      for (const wantInputs of [false, true]) {
        it(`trainable restricts the gradient to the named tensors${wantInputs ? ", and inputs still get theirs" : ""}`, async () => {
          const { gradient: full, inputGradient } = await model.valueAndGradient(
            parameters,
            batch,
            { wantInputs: true },
            TRAINING,
          );
          for (const { name, offset, size: count } of model.layout) {
            const result = await model.valueAndGradient(parameters, batch, { trainable: [name], wantInputs }, TRAINING);
            const expected = new Float32Array(full.length);
            expected.set(full.subarray(offset, offset + count), offset);
            assertClose(result.gradient, expected, name);
            assert.equal(result.inputGradient !== undefined, wantInputs);
            if (wantInputs)
              assertClose(result.inputGradient as Float32Array, inputGradient as Float32Array, "inputGradient");
          }
        });
      }

      it("is deterministic: the same call gives the same bits, also on a newly loaded model", async () => {
        const again = await engine.load(config);
        const first = await model.valueAndGradient(parameters, batch, { wantInputs: true }, TRAINING);
        await model.forward(parameters, batch, EVALUATION);
        assert.deepEqual(await model.valueAndGradient(parameters, batch, { wantInputs: true }, TRAINING), first);
        assert.deepEqual(await again.valueAndGradient(parameters, batch, { wantInputs: true }, TRAINING), first);
      });

      it("changes none of its arguments, and results do not change later", async () => {
        const copies = [parameters.slice(), features.slice(), labels.slice()];
        const first = await model.valueAndGradient(parameters, batch, {}, TRAINING);
        const kept = structuredClone(first);
        await model.valueAndGradient(
          parameters.map((w) => 2 * w),
          batch,
          {},
          TRAINING,
        );
        assert.deepEqual([parameters, features, labels], copies);
        assert.deepEqual(first, kept);
      });

      it("overlapping calls do not disturb each other", async () => {
        const other = parameters.map((w) => 0.5 * w);
        const [a, b] = await Promise.all([
          model.forward(parameters, batch, EVALUATION),
          model.forward(other, batch, EVALUATION),
        ]);
        assert.deepEqual(a, await model.forward(parameters, batch, EVALUATION));
        assert.deepEqual(b, await model.forward(other, batch, EVALUATION));
      });

      it("the fused step equals the composed path bit for bit, over several steps", async (t) => {
        if (model.step === undefined) return t.skip("this engine has no fused step");
        const composed = composedStep(model);
        const options = { learningRate: 0.05, momentum: 0.9 };
        let fusedState: OptimiserState = { parameters, velocity: new Float32Array(parameters.length) };
        let composedState = fusedState;
        for (let k = 0; k < 5; k++) {
          const fused: StepResult = await model.step(fusedState, batch, options, TRAINING);
          const expected: StepResult = await composed(composedState, batch, options, TRAINING);
          assert.deepEqual(fused, expected, `step ${k}`);
          fusedState = fused;
          composedState = expected;
        }
        assert.notDeepEqual(fusedState.parameters, parameters);
      });

      it("forward takes any number of samples and treats each alone", async () => {
        const one = await model.forward(
          parameters,
          { features: features.subarray(0, config.inputs), size: 1 },
          EVALUATION,
        );
        const many = problemOf(config, 3 * size + 1);
        many.features.set(features.subarray(0, config.inputs));
        const all = await model.forward(parameters, { features: many.features, size: many.size }, EVALUATION);
        assert.equal(all.logits.length, many.size * config.classes);
        assertClose(all.logits.subarray(0, config.classes), one.logits, "logits of the first sample");
        const expected = referenceValueAndGradient(config, parameters, many.features, many.size, {
          targets: many.softTargets,
        });
        assertClose(all.logits, expected.logits, "logits");
        assertClose(all.features, expected.features, "features");
      });

      it("WRONG_SHAPE: arrays that do not fit the model", async () => {
        const refused = { code: "WRONG_SHAPE" };
        const short = parameters.subarray(1);
        await assert.rejects(model.forward(short, batch, EVALUATION), refused);
        await assert.rejects(model.forward(parameters, { features: features.subarray(1), size }, EVALUATION), refused);
        await assert.rejects(model.forward(parameters, { features: new Float32Array(), size: 0 }, EVALUATION), refused);
        await assert.rejects(
          model.valueAndGradient(parameters, { features, labels: labels.subarray(1), size }, {}, TRAINING),
          refused,
        );
        await assert.rejects(
          model.valueAndGradient(parameters, batch, { softTargets: new Float32Array(1) }, TRAINING),
          refused,
        );
        await assert.rejects(
          model.valueAndGradient(parameters, batch, { cotangents: { logits: new Float32Array(1) } }, TRAINING),
          refused,
        );
        await assert.rejects(
          model.valueAndGradient(parameters, batch, { cotangents: { features: new Float32Array(1) } }, TRAINING),
          refused,
        );
        await assert.rejects(
          model.valueAndGradient(parameters, batch, { trainable: ["layer9.weight"] }, TRAINING),
          refused,
        );
        for (const label of [-1, config.classes]) {
          const wrong = { features, labels: labels.map((value, i) => (i === 2 ? label : value)), size };
          await assert.rejects(model.valueAndGradient(parameters, wrong, {}, TRAINING), refused);
        }
      });

      it("UNSUPPORTED: masks for a model without dropout", async () => {
        const mode = { phase: "train", masks: { "layer1.dropout": new Float32Array(size) } } as const;
        await assert.rejects(model.forward(parameters, batch, mode), { code: "UNSUPPORTED" });
        await assert.rejects(model.valueAndGradient(parameters, batch, {}, mode), { code: "UNSUPPORTED" });
      });
    });
  }
}
