// SPDX-License-Identifier: Apache-2.0

/** What every learning engine must do, whatever runs underneath. One suite, run over each implementation. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { drawMasks } from "../../src/learning/dropout.ts";
import {
  dropoutLayers,
  featureWidth,
  initialiseParameters,
  parameterLayout,
  vocabularyOf,
} from "../../src/learning/layout.ts";
import {
  EVALUATION,
  type LearningEngine,
  type Mode,
  type Model,
  type OptimiserState,
  type StepResult,
} from "../../src/learning/model.ts";
import { composedStep } from "../../src/learning/optimisers/heavyBall.ts";
import { referenceValueAndGradient } from "../../src/learning/reference.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";
import { PERCEPTRONS } from "../fixtures/models.ts";

interface Problem {
  readonly parameters: Float32Array;
  readonly features: Float32Array;
  readonly labels: Int32Array;
  readonly softTargets: Float32Array;
  readonly masks: Readonly<Record<string, Float32Array>>;
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
  for (const { name, offset, size: count, adapter } of parameterLayout(config)) {
    if (name.endsWith(".bias") || adapter === true) parameters.set(normals(count, 0.3), offset);
  }
  const width = featureWidth(config);
  const vocabulary = vocabularyOf(config);
  // Half of the tokens are padding, the first sample wholly.
  const token = (_: unknown, i: number): number =>
    i < config.inputs || random.uniform() < 0.5 ? 0 : random.integerBelow(vocabulary as number);
  return {
    parameters,
    features:
      vocabulary === undefined
        ? normals(size * config.inputs)
        : Float32Array.from({ length: size * config.inputs }, token),
    masks: drawMasks(config, size, random),
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
function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string, tolerance: number): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  let scale = 1e-3;
  for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i] as number));
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((actual[i] as number) - (expected[i] as number));
    assert.ok(difference <= tolerance * scale, `${what}[${i}]: ${actual[i]} instead of ${expected[i]}`);
  }
}

/** @param configs the models that the engine knows. */
export function engineContract(create: () => Promise<LearningEngine>, configs = PERCEPTRONS, size = 5): void {
  let engine: LearningEngine;
  before(async () => {
    engine = await create();
  });
  after(() => engine.dispose());

  for (const [title, config] of Object.entries(configs)) {
    describe(title, () => {
      const problem = problemOf(config, size);
      const { parameters, features, labels, masks } = problem;
      const batch = { features, labels, size };
      const training: Mode = { phase: "train", masks };
      // Normalisation divides by small deviations, and deeper models add up more roundings.
      const tolerance = config.kind === "logistic" || config.kind === "mlp" ? 2e-6 : 2e-5;
      const close = (actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void =>
        assertClose(actual, expected, what, tolerance);
      // Token ids have no gradient.
      const wantInputs = vocabularyOf(config) === undefined;
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
        close(logits, expected.logits, "logits");
        close(hidden, expected.features, "features");
      });

      it("value and gradient for labels are the reference's", async () => {
        const expected = referenceValueAndGradient(config, parameters, features, size, {
          targets: oneHot(labels, config.classes),
          masks,
        });
        const result = await model.valueAndGradient(parameters, batch, { wantInputs }, training);
        close([result.loss], [expected.loss], "loss");
        close(result.logits, expected.logits, "logits");
        close(result.features, expected.features, "features");
        close(result.gradient, expected.gradient, "gradient");
        if (wantInputs) close(result.inputGradient as Float32Array, expected.inputGradient, "inputGradient");
      });

      it("soft targets and both cotangents enter as the port says", async () => {
        const { softTargets, logitCotangent, featureCotangent } = problem;
        const expected = referenceValueAndGradient(config, parameters, features, size, {
          targets: softTargets,
          logitCotangent,
          featureCotangent,
          masks,
        });
        const request = {
          softTargets,
          cotangents: { logits: logitCotangent, features: featureCotangent },
          wantInputs,
        };
        const result = await model.valueAndGradient(parameters, batch, request, training);
        close([result.loss], [expected.loss], "loss");
        close(result.gradient, expected.gradient, "gradient");
        if (wantInputs) close(result.inputGradient as Float32Array, expected.inputGradient, "inputGradient");
      });

      it("without targets only the cotangents are differentiated", async () => {
        const { logitCotangent } = problem;
        const targets = new Float32Array(size * config.classes);
        const expected = referenceValueAndGradient(config, parameters, features, size, {
          targets,
          logitCotangent,
          masks,
        });
        const result = await model.valueAndGradient(
          parameters,
          { features, size },
          { cotangents: { logits: logitCotangent } },
          training,
        );
        assert.ok(result.loss === 0);
        close(result.gradient, expected.gradient, "gradient");
      });

      it("target rows of another mass weigh their samples", async () => {
        const softTargets = oneHot(labels, config.classes).map((t, i) => t * Math.floor(i / config.classes));
        const expected = referenceValueAndGradient(config, parameters, features, size, { targets: softTargets, masks });
        const result = await model.valueAndGradient(parameters, batch, { softTargets }, training);
        close([result.loss], [expected.loss], "loss");
        close(result.gradient, expected.gradient, "gradient");
      });

      for (const alsoInputs of wantInputs ? [false, true] : [false]) {
        it(`trainable restricts the gradient to the named tensors${alsoInputs ? ", and inputs still get theirs" : ""}`, async () => {
          const { gradient: full, inputGradient } = await model.valueAndGradient(
            parameters,
            batch,
            { wantInputs },
            training,
          );
          // Each set of names is a graph of its own: about eight tensors of a deep model will do.
          const every = Math.ceil(model.layout.length / 8);
          for (const { name, offset, size: count } of model.layout.filter((_, i) => i % every === 0)) {
            const result = await model.valueAndGradient(
              parameters,
              batch,
              { trainable: [name], wantInputs: alsoInputs },
              training,
            );
            const expected = new Float32Array(full.length);
            expected.set(full.subarray(offset, offset + count), offset);
            close(result.gradient, expected, name);
            assert.equal(result.inputGradient !== undefined, alsoInputs);
            if (alsoInputs) close(result.inputGradient as Float32Array, inputGradient as Float32Array, "inputGradient");
          }
        });
      }

      it("is deterministic: the same call gives the same bits, also on a newly loaded model", async () => {
        const again = await engine.load(config);
        const first = await model.valueAndGradient(parameters, batch, { wantInputs }, training);
        await model.forward(parameters, batch, EVALUATION);
        assert.deepEqual(await model.valueAndGradient(parameters, batch, { wantInputs }, training), first);
        assert.deepEqual(await again.valueAndGradient(parameters, batch, { wantInputs }, training), first);
      });

      it("gives models of other configurations, which compute what a loaded one does", async () => {
        assert.ok(model.variant !== undefined, "every engine here opens models of other shapes");
        const other = await model.variant({ ...config, classes: config.classes + 1 });
        assert.deepEqual(other.layout, parameterLayout({ ...config, classes: config.classes + 1 }));
        const same = await model.variant(config);
        assert.deepEqual(
          await same.forward(parameters, batch, EVALUATION),
          await model.forward(parameters, batch, EVALUATION),
        );
      });

      it("changes none of its arguments, and results do not change later", async () => {
        const copies = [parameters.slice(), features.slice(), labels.slice()];
        const first = await model.valueAndGradient(parameters, batch, {}, training);
        const kept = structuredClone(first);
        await model.valueAndGradient(
          parameters.map((w) => 2 * w),
          batch,
          {},
          training,
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
        let fusedState: OptimiserState = { parameters, velocity: new Float32Array(parameters.length) };
        let composedState = fusedState;
        for (let k = 0; k < 6; k++) {
          const options = { learningRate: 0.05, momentum: k < 4 ? 0.9 : 0 };
          const fused: StepResult = await model.step(fusedState, batch, options, training);
          const expected: StepResult = await composed(composedState, batch, options, training);
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
        close(all.logits.subarray(0, config.classes), one.logits, "logits of the first sample");
        const expected = referenceValueAndGradient(config, parameters, many.features, many.size, {
          targets: many.softTargets,
        });
        close(all.logits, expected.logits, "logits");
        close(all.features, expected.features, "features");
      });

      it("WRONG_SHAPE: arrays that do not fit the model", async () => {
        const refused = { code: "WRONG_SHAPE" };
        const short = parameters.subarray(1);
        await assert.rejects(model.forward(short, batch, EVALUATION), refused);
        await assert.rejects(model.forward(parameters, { features: features.subarray(1), size }, EVALUATION), refused);
        await assert.rejects(model.forward(parameters, { features: new Float32Array(), size: 0 }, EVALUATION), refused);
        await assert.rejects(
          model.valueAndGradient(parameters, { features, labels: labels.subarray(1), size }, {}, training),
          refused,
        );
        await assert.rejects(
          model.valueAndGradient(parameters, batch, { softTargets: new Float32Array(1) }, training),
          refused,
        );
        await assert.rejects(
          model.valueAndGradient(parameters, batch, { cotangents: { logits: new Float32Array(1) } }, training),
          refused,
        );
        await assert.rejects(
          model.valueAndGradient(parameters, batch, { cotangents: { features: new Float32Array(1) } }, training),
          refused,
        );
        await assert.rejects(
          model.valueAndGradient(parameters, batch, { trainable: ["layer9.weight"] }, training),
          refused,
        );
        for (const label of [-1, config.classes]) {
          const wrong = { features, labels: labels.map((value, i) => (i === 2 ? label : value)), size };
          await assert.rejects(model.valueAndGradient(parameters, wrong, {}, training), refused);
        }
      });

      it("UNSUPPORTED: masks that the model does not take, or misses", async () => {
        const refused = { code: "UNSUPPORTED" };
        const unknown: Mode = { phase: "train", masks: { ...masks, "layer9.dropout": new Float32Array(size) } };
        await assert.rejects(model.forward(parameters, batch, unknown), refused);
        await assert.rejects(model.valueAndGradient(parameters, batch, {}, unknown), refused);
        if (dropoutLayers(config).length === 0) return;
        await assert.rejects(model.valueAndGradient(parameters, batch, {}, { phase: "train" }), refused);
        await assert.rejects(model.forward(parameters, batch, { phase: "eval", masks }), refused);
        const short = Object.fromEntries(Object.entries(masks).map(([name, mask]) => [name, mask.subarray(1)]));
        const mode: Mode = { phase: "train", masks: short };
        await assert.rejects(model.valueAndGradient(parameters, batch, {}, mode), { code: "WRONG_SHAPE" });
      });

      if (dropoutLayers(config).length > 0) {
        it("drops units in training: forward gives the reference's outputs under the masks, in any number of samples", async () => {
          const many = problemOf(config, 3 * size + 1);
          const { features: rows, masks: drawn } = many;
          const expected = referenceValueAndGradient(config, parameters, rows, many.size, {
            targets: many.softTargets,
            masks: drawn,
          });
          const call = { features: rows, size: many.size };
          const { logits } = await model.forward(parameters, call, { phase: "train", masks: drawn });
          close(logits, expected.logits, "logits");
          const { logits: whole } = await model.forward(parameters, call, EVALUATION);
          assert.notDeepEqual(whole, logits);
        });
      }

      if (!wantInputs) {
        it("UNSUPPORTED: the gradient of token ids; WRONG_SHAPE: ids outside the vocabulary", async () => {
          const request = { wantInputs: true };
          await assert.rejects(model.valueAndGradient(parameters, batch, request, training), { code: "UNSUPPORTED" });
          for (const id of [-1, vocabularyOf(config) as number, 1.5, NaN]) {
            const wrong = { ...batch, features: features.map((value, i) => (i === 3 ? id : value)) };
            await assert.rejects(model.forward(parameters, wrong, EVALUATION), { code: "WRONG_SHAPE" });
          }
        });
      }
    });
  }
}
