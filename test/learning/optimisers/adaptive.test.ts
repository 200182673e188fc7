// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ParameterTensor, parameterLayout } from "../../../src/learning/layout.ts";
import { adagrad } from "../../../src/learning/optimisers/adagrad.ts";
import { sm3 } from "../../../src/learning/optimisers/sm3.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";

const OPTIONS = { learningRate: 0.01, epsilon: 0.001, initialAccumulator: 0 };
const tensor = (shape: readonly number[], offset = 0): ParameterTensor => ({
  name: "w",
  shape,
  offset,
  size: shape.reduce((product, extent) => product * extent, 1),
  head: false,
});
const zeros = (size: number) => new Float32Array(size);
const near = (actual: ArrayLike<number>, expected: readonly number[]): void => {
  assert.equal(actual.length, expected.length);
  for (const [j, value] of expected.entries())
    assert.ok(Math.abs((actual[j] as number) - value) <= 1e-6 * Math.abs(value) + 1e-12, `${actual[j]}, not ${value}`);
};

describe("adagrad", () => {
  it("by hand: ν is 4, then 4 + 9", () => {
    const step = adagrad(OPTIONS, 1);
    const first = step(Float32Array.of(1), Float32Array.of(2));
    near(first, [1 - 0.02 / 2.001]);
    const second = step(first, Float32Array.of(-3));
    near(second, [(first[0] as number) + 0.03 / (Math.sqrt(13) + 0.001)]);
  });
  it("begins with almost the sign of the gradient, and less so from an accumulator above 0", () => {
    const gradient = Float32Array.of(1e-2, -1);
    near(adagrad(OPTIONS, 2)(zeros(2), gradient), [(-0.01 * 0.01) / 0.011, 0.01 / 1.001]);
    const warm = adagrad({ ...OPTIONS, initialAccumulator: 1e-4 }, 2)(zeros(2), gradient);
    near(warm, [(-0.01 * 0.01) / (Math.sqrt(2e-4) + 0.001), 0.01 / (Math.sqrt(1.0001) + 0.001)]);
  });
  it("stands still where there is no gradient, and changes neither argument", () => {
    const [parameters, gradient] = [Float32Array.of(3, 4), Float32Array.of(0, 1)];
    const moved = adagrad(OPTIONS, 2)(parameters, gradient);
    assert.equal(moved[0], 3);
    assert.deepEqual([parameters, gradient], [Float32Array.of(3, 4), Float32Array.of(0, 1)]);
  });
});

describe("sm3", () => {
  it("by hand on 2 × 2: after g = [[1, 2], [3, 4]] rows hold 4 and 16, columns 9 and 16", () => {
    const step = sm3(OPTIONS, [tensor([2, 2])]);
    const first = step(zeros(4), Float32Array.of(1, 2, 3, 4));
    // ν = g² at first, so every step is almost a sign.
    near(
      first,
      [1, 2, 3, 4].map((g) => (-0.01 * g) / (g + 0.001)),
    );
    // A gradient of 0 moves nothing and shows nothing; one of 1 shows min(r, c): 4, 4, 9, 16.
    const second = step(zeros(4), Float32Array.of(1, 1, 1, 1));
    near(
      second,
      [4, 4, 9, 16].map((least) => -0.01 / (Math.sqrt(least + 1) + 0.001)),
    );
    // Now rows hold 5 and 17, columns 10 and 17.
    near(
      step(zeros(4), Float32Array.of(1, 1, 1, 1)),
      [5, 5, 10, 17].map((least) => -0.01 / (Math.sqrt(least + 1) + 0.001)),
    );
  });
  it("starts rows and columns from the initial accumulator", () => {
    const moved = sm3({ ...OPTIONS, initialAccumulator: 0.25 }, [tensor([1, 2])])(zeros(2), Float32Array.of(1, 2));
    near(moved, [-0.01 / (Math.sqrt(1.25) + 0.001), -0.02 / (Math.sqrt(4.25) + 0.001)]);
  });
  it("is AdaGrad on vectors, and on a matrix never takes longer steps", () => {
    const layout = parameterLayout({ kind: "mlp", inputs: 3, hidden: [4], classes: 2, activation: "relu" });
    const size = layout.reduce((sum, part) => sum + part.size, 0);
    const [cover, exact] = [sm3(OPTIONS, layout), adagrad(OPTIONS, size)];
    const random = keyedRandom("sm3");
    for (let k = 0; k < 5; k++) {
      const gradient = Float32Array.from({ length: size }, () => random.normal());
      const [a, b] = [cover(zeros(size), gradient), exact(zeros(size), gradient)];
      for (const { shape, offset, size: length } of layout) {
        for (let j = offset; j < offset + length; j++) {
          if (shape.length === 1) assert.equal(a[j], b[j]);
          else assert.ok(Math.abs(a[j] as number) <= Math.abs(b[j] as number));
        }
      }
    }
  });
  it("takes a tensor of three dimensions as a matrix by its first", () => {
    const gradient = Float32Array.from({ length: 12 }, (_, j) => j + 1);
    const [cube, matrix] = [sm3(OPTIONS, [tensor([2, 3, 2])]), sm3(OPTIONS, [tensor([2, 6])])];
    cube(zeros(12), gradient);
    matrix(zeros(12), gradient);
    assert.deepEqual(cube(zeros(12), gradient), matrix(zeros(12), gradient));
  });
});
