// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { initialiseParameters, parameterCount, parameterLayout } from "../../src/learning/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";

const DIGITS: ModelConfig = { kind: "mlp", inputs: 64, hidden: [32], classes: 10, activation: "relu" };

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

  it("is a function of the stream's name alone", () => {
    const first = initialiseParameters(DIGITS, keyedRandom("seed", 1));
    const advanced = keyedRandom("seed", 1);
    advanced.normal();
    assert.deepEqual(initialiseParameters(DIGITS, advanced), first);
    assert.notDeepEqual(initialiseParameters(DIGITS, keyedRandom("seed", 2)), first);
  });
});
