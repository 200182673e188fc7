// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { modelLayout } from "../../../src/protocol/layout.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { adam } from "../../../src/round/serverLearning/adam.ts";
import { movementOnGrid } from "../../../src/round/serverLearning/movementOnGrid.ts";
import { perceptron } from "../../../src/round/serverLearning/perceptron.ts";
import { cosineDecay, sineCosine } from "../../../src/round/serverLearning/trigonometry.ts";
import { checkUpdates, cosine, normalised } from "../../../src/round/serverLearning/vectors.ts";
import { update } from "./federation.ts";

describe("movementOnGrid", () => {
  const layout = modelLayout([
    { name: "a", shape: [2], fractionBits: 10, group: 0 },
    { name: "b", shape: [1], fractionBits: 20, group: 0 },
  ]);

  it("rounds half away from zero to each tensor's unit 2^-(F+16), never to −0", () => {
    const half = 2 ** -27; // half a unit of a
    const moved = movementOnGrid(Float64Array.of(half, -half, 2 ** -36), layout);
    assert.deepEqual([...moved], [1, -1, 1]);
    assert.ok(Object.is(movementOnGrid(Float64Array.of(-(2 ** -30), 0, 0), layout)[0], 0));
  });

  it("refuses what is not finite, and another length", () => {
    assert.throws(() => movementOnGrid(Float64Array.of(0, Number.NaN, 0), layout), { code: "GRID_OVERFLOW" });
    assert.throws(() => movementOnGrid(new Float64Array(4), layout), { code: "BAD_INPUT" });
  });
});

describe("sineCosine", () => {
  it("agrees with the engine's functions to 1e-14 near zero and 1e-11 far from it", () => {
    fc.assert(
      fc.property(fc.double({ min: -200, max: 200, noNaN: true }), (x) => {
        const [sine, cosine] = sineCosine(x);
        assert.ok(Math.abs(sine - Math.sin(x)) < 1e-14 && Math.abs(cosine - Math.cos(x)) < 1e-14, `${x}`);
      }),
    );
    assert.ok(Math.abs(sineCosine(99_999)[0] - Math.sin(99_999)) < 1e-11);
    assert.throws(() => sineCosine(1e6), RangeError);
  });

  it("decays from 1 by way of ½ to 0", () => {
    assert.equal(cosineDecay(0, 10), 1);
    assert.ok(Math.abs(cosineDecay(5, 10) - 0.5) < 1e-15);
    assert.ok(Math.abs(cosineDecay(10, 10)) < 1e-15);
  });
});

describe("adam", () => {
  it("takes the first step of the learning rate's length whatever the gradient's, and the second by its formula", () => {
    const w = Float64Array.of(1, 1);
    const optimiser = adam(2);
    optimiser.step(w, [100, -0.01] as unknown as Float64Array, 0.1);
    assert.ok(Math.abs((w[0] as number) - 0.9) < 1e-8 && Math.abs((w[1] as number) - 1.1) < 1e-6);
    // m = .9·10+.1·0 over 1−.81, v = .999·10+.001·0 over 1−.998001: 9/.19 / √(9.99/.001999).
    optimiser.step(w, Float64Array.of(0, 0), 0.1);
    assert.ok(Math.abs((w[0] as number) - (0.9 - (0.1 * (9 / 0.19)) / Math.sqrt(9.99 / 0.001999))) < 1e-8);
  });
});

describe("perceptron", () => {
  const net = perceptron([3, 5, 4, 2]);
  const random = keyedRandom("perceptron");

  it("starts at zero output", () => {
    assert.deepEqual([...net.forward(net.initialise(random), [1, -2, 3]).output], [0, 0]);
  });

  it("has the gradient of its own output (central differences)", () => {
    const parameters = Float64Array.from({ length: net.parameterCount }, () => random.normal());
    const [input, cotangent] = [
      [0.3, -1, 2],
      [1.5, -0.5],
    ];
    const value = (w: Float64Array): number =>
      net.forward(w, input).output.reduce((sum, o, c) => sum + o * (cotangent[c] as number), 0);
    const gradient = new Float64Array(net.parameterCount);
    net.backward(parameters, net.forward(parameters, input), cotangent, gradient);
    for (let j = 0; j < gradient.length; j++) {
      const step = (by: number) => value(parameters.with(j, (parameters[j] as number) + by));
      const slope = (step(1e-5) - step(-1e-5)) / 2e-5;
      assert.ok(Math.abs(slope - (gradient[j] as number)) < 1e-7, `parameter ${j}`);
    }
  });
});

describe("vectors", () => {
  it("gives a vector without length no direction, and equal shares where there are none", () => {
    assert.equal(cosine(Float64Array.of(0, 0), Float64Array.of(1, 0)), 0);
    assert.deepEqual(normalised([0, 0]), [0.5, 0.5]);
    assert.deepEqual(normalised([1, 3]), [0.25, 0.75]);
  });

  it("refuses disorder, other lengths, and values that are not finite; takes auxiliary tensors after the model", () => {
    assert.throws(() => checkUpdates([], 1), { code: "TOO_FEW_UPDATES" });
    for (const bad of [
      [update(1, [0]), update(1, [0])],
      [update(0, [])],
      [update(0, [0]), update(1, [0, 0])],
      [update(0, [Number.NaN])],
      [update(0, [0], -1)],
    ])
      assert.throws(() => checkUpdates(bad, 1), { code: "BAD_INPUT" });
    assert.equal(checkUpdates([update(0, [0, 0, 0]), update(1, [0, 0, 0])], 1), 3);
  });
});
