// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drawMasks } from "../../src/learning/dropout.ts";
import { featureWidth, parameterCount, vocabularyOf } from "../../src/learning/layout.ts";
import { type ReferenceRequest, referenceValueAndGradient } from "../../src/learning/reference.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";
import { ALL_MODELS } from "../fixtures/models.ts";

/** Difference quotients per model: enough to meet every tensor. */
const DIRECTIONS = 80;

describe("reference model", () => {
  it("is the textbook's at a point worked by hand", () => {
    // x = (1, 2); W1 = [[1, 0], [−1, 0]], b1 = (0.5, 0); h = (1.5, 0); W2 = [[2, 7], [0, 7]], b2 = (0, 1); z = (3, 1).
    const config: ModelConfig = { kind: "mlp", inputs: 2, hidden: [2], classes: 2, activation: "relu" };
    const parameters = [1, 0, -1, 0, 0.5, 0, 2, 7, 0, 7, 0, 1];
    const result = referenceValueAndGradient(config, parameters, [1, 2], 1, { targets: [0, 1] });
    assert.deepEqual([...result.logits], [3, 1]);
    assert.deepEqual([...result.features], [1.5, 0]);
    const p = 1 / (1 + Math.exp(-2));
    assert.ok(Math.abs(result.loss - Math.log(1 + Math.exp(2))) < 1e-12);
    // dz = (p, −p); dW2 = dz·hᵀ; dh = (2p, 0), and the second unit is off.
    const expected = [2 * p, 4 * p, 0, 0, 2 * p, 0, 1.5 * p, 0, -1.5 * p, 0, p, -p];
    for (const [i, value] of expected.entries())
      assert.ok(Math.abs((result.gradient[i] as number) - value) < 1e-12, `gradient[${i}]`);
    assert.ok(Math.abs((result.inputGradient[0] as number) - 2 * p) < 1e-12 && result.inputGradient[1] === 0);
  });

  for (const [title, config] of Object.entries(ALL_MODELS)) {
    it(`gradients are the central differences of what the port says is differentiated: ${title}`, () => {
      const random = keyedRandom("finite differences", title);
      const size = 3;
      const normals = (count: number): Float64Array => Float64Array.from({ length: count }, () => random.normal());
      const parameters = normals(parameterCount(config));
      const vocabulary = vocabularyOf(config);
      const inputs = normals(size * config.inputs).map((value) =>
        vocabulary === undefined ? value : random.integerBelow(vocabulary),
      );
      const request = {
        targets: Float64Array.from({ length: size * config.classes }, () => random.uniform()),
        logitCotangent: normals(size * config.classes),
        featureCotangent: normals(size * featureWidth(config)),
        masks: drawMasks(config, size, random),
      } satisfies ReferenceRequest;
      const objective = (): number => {
        const { loss, logits, features } = referenceValueAndGradient(config, parameters, inputs, size, request);
        const inner = (a: Float64Array, b: Float64Array): number =>
          a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
        return loss + inner(logits, request.logitCotangent) + inner(features, request.featureCotangent);
      };
      const { gradient, inputGradient } = referenceValueAndGradient(config, parameters, inputs, size, request);
      for (const [what, values, expected] of [
        ["parameter", parameters, gradient],
        ...(vocabulary === undefined ? [["input", inputs, inputGradient] as const] : []),
      ] as const) {
        for (let i = 0; i < values.length; i += Math.ceil(values.length / DIRECTIONS)) {
          const at = values[i] as number;
          const step = 1e-6;
          values[i] = at + step;
          const above = objective();
          values[i] = at - step;
          const difference = (above - objective()) / (2 * step);
          values[i] = at;
          const error = Math.abs(difference - (expected[i] as number));
          assert.ok(
            error < 1e-7 * Math.max(1, Math.abs(difference)),
            `${what} ${i}: ${expected[i]}, difference quotient ${difference}`,
          );
        }
      }
    });
  }
});
