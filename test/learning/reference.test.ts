// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parameterCount } from "../../src/learning/layout.ts";
import { type ReferenceRequest, referenceValueAndGradient } from "../../src/learning/reference.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";

const MLP: ModelConfig = { kind: "mlp", inputs: 4, hidden: [5, 3], classes: 3, activation: "relu" };
const LOGISTIC: ModelConfig = { kind: "logistic", inputs: 4, classes: 3 };

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

  for (const [title, config] of [
    ["MLP", MLP],
    ["logistic regression", LOGISTIC],
  ] as const) {
    it(`gradients of a ${title} are the central differences of what the port says is differentiated`, () => {
      const random = keyedRandom("finite differences", title);
      const size = 3;
      const width = config.kind === "mlp" ? 3 : 4;
      const normals = (count: number): Float64Array => Float64Array.from({ length: count }, () => random.normal());
      const parameters = normals(parameterCount(config));
      const inputs = normals(size * config.inputs);
      const request = {
        targets: Float64Array.from({ length: size * config.classes }, () => random.uniform()),
        logitCotangent: normals(size * config.classes),
        featureCotangent: normals(size * width),
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
        ["input", inputs, inputGradient],
      ] as const) {
        for (let i = 0; i < values.length; i++) {
          const at = values[i] as number;
          const step = 1e-6;
          values[i] = at + step;
          const above = objective();
          values[i] = at - step;
          const difference = (above - objective()) / (2 * step);
          values[i] = at;
          assert.ok(
            Math.abs(difference - (expected[i] as number)) < 1e-7,
            `${what} ${i}: ${expected[i]}, difference quotient ${difference}`,
          );
        }
      }
    });
  }
});
