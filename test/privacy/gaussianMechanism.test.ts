// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { composeAdvanced } from "../../src/privacy/advancedComposition.ts";
import {
  classicalGaussianSigma,
  gaussianDelta,
  gaussianEpsilon,
  gaussianSigma,
} from "../../src/privacy/gaussianMechanism.ts";
import { sensitivityOf } from "../../src/privacy/neighbours.ts";
import { epsilonOf, poissonGaussian, repeatRdp } from "../../src/privacy/rdp.ts";

const DELTA = 1e-5;
const near = (actual: number, expected: number, tolerance: number): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);
/** The textbook's formula, also where it is false. */
const textbook = (epsilon: number): number => Math.sqrt(2 * Math.log(1.25 / DELTA)) / epsilon;

it("what no noise or no ε reaches is refused with the values and what to ask for", () => {
  assert.throws(
    () => gaussianSigma({ epsilon: 1e-20, delta: 1e-15, sensitivity: 1 }),
    /keeps ε = 1e-20 at δ = 1e-15; ask for a larger ε or δ/,
  );
  assert.throws(() => gaussianEpsilon(1e-7, DELTA, 1), /σ = 1e-7 keeps no ε up to 1000000000000 .* take a larger σ/);
});

describe("gaussianSigma", () => {
  /** ε, classical σ, exact σ at S = 1 and δ = 1e-5 (spec D2). */
  const table = [
    [0.1, 48.44805, 30.74957],
    [0.5, 9.68961, 7.03183],
    [1, 4.84481, 3.73063],
    [2, 2.4224, 1.99381],
    [4, 1.2112, 1.08116],
    [8, 0.6056, 0.60023],
    [10, 0.48448, 0.49989],
  ] as const;
  for (const [epsilon, classical, exact] of table) {
    it(`ε = ${epsilon}: σ = ${exact}, where the textbook says ${classical}`, () => {
      near(gaussianSigma({ epsilon, delta: DELTA, sensitivity: 1 }), exact, 5.1e-6);
      near(textbook(epsilon), classical, 5.1e-6);
    });
  }

  it("the textbook's σ breaks its promise from ε ≈ 8.42 up: at ε = 10 the δ is 2.27e-5", () => {
    near(gaussianDelta(textbook(10), 10, 1), 2.27e-5, 5e-8);
    assert.ok(gaussianDelta(textbook(8.41), 8.41, 1) <= DELTA);
    assert.ok(gaussianDelta(textbook(8.43), 8.43, 1) > DELTA);
  });

  it("the classical formula is refused where it is not proven", () => {
    near(classicalGaussianSigma({ epsilon: 0.5, delta: DELTA, sensitivity: 2 }), 2 * 9.68961, 1.1e-5);
    assert.throws(() => classicalGaussianSigma({ epsilon: 1, delta: DELTA, sensitivity: 1 }), /proven for ε < 1/);
  });

  it("is the smallest: a thousandth less breaks δ; and the noise grows with what a neighbour moves", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.05, max: 20, noNaN: true }),
        fc.double({ min: 1e-12, max: 0.01, noNaN: true }),
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        (epsilon, delta, sensitivity) => {
          const sigma = gaussianSigma({ epsilon, delta, sensitivity });
          assert.ok(gaussianDelta(sigma, epsilon, sensitivity) <= delta * (1 + 1e-9));
          assert.ok(gaussianDelta(sigma * 0.999, epsilon, sensitivity) > delta);
          near(gaussianEpsilon(sigma, delta, sensitivity) / epsilon, 1, 1e-6);
        },
      ),
      { seed: 4, numRuns: 60 },
    );
    assert.equal(sensitivityOf("replace-one", 3), 2 * sensitivityOf("add-remove", 3));
  });

  it("refuses targets that are none", () => {
    for (const target of [
      { epsilon: 0, delta: DELTA, sensitivity: 1 },
      { epsilon: 1, delta: 0, sensitivity: 1 },
      { epsilon: 1, delta: 1, sensitivity: 1 },
      { epsilon: Number.NaN, delta: DELTA, sensitivity: 1 },
      { epsilon: 1, delta: DELTA, sensitivity: 0 },
    ])
      assert.throws(() => gaussianSigma(target), { code: "BAD_CONFIG" });
  });
});

describe("composeAdvanced", () => {
  /** DSAIN's eq. (7), as printed: the contrast, not a method. */
  const asPrinted = (epsilon: number, q: number, rounds: number): [first: number, second: number] => [
    Math.sqrt(2 * rounds * Math.log(1 / DELTA)) * q * epsilon,
    rounds * q * epsilon * Math.expm1(epsilon),
  ];
  /** ε of a round, eq. (7), corrected, and the accountant with the textbook's σ for that ε. */
  const table = [
    [0.1, 0.585, 0.513, 0.0683],
    [0.5, 5.6429, 3.4239, 0.397],
    [1, 21.981, 10.333, 0.8659],
    [4, 2163.1, 1080.3, 5.5787],
  ] as const;
  for (const [epsilon, printed, corrected, accountant] of table) {
    it(`ε = ${epsilon}, q = 0.1, T = 100: ${corrected} in place of ${printed}; the accountant has ${accountant}`, () => {
      const [first, second] = asPrinted(epsilon, 0.1, 100);
      near((first + second) / printed, 1, 1e-4);
      const composed = composeAdvanced({ epsilon, delta: DELTA, samplingRate: 0.1, rounds: 100, slack: DELTA });
      near(composed.epsilon / corrected, 1, 1e-4);
      near(composed.delta, 100 * 0.1 * DELTA + DELTA, 1e-18);
      near(epsilonOf(repeatRdp(poissonGaussian(0.1, textbook(epsilon)), 100), DELTA).epsilon / accountant, 1, 5e-4);
    });
  }

  it("the printed first term is unsound: 19.19 at ε = 4, where the amplified mechanism needs 88.77", () => {
    near(asPrinted(4, 0.1, 100)[0], 19.19, 0.005);
    near(Math.sqrt(200 * Math.log(1 / DELTA)) * Math.log1p(0.1 * Math.expm1(4)), 88.77, 0.005);
  });

  it("refuses rates and slacks that are none", () => {
    const mechanism = { epsilon: 1, delta: DELTA, samplingRate: 0.1, rounds: 10, slack: DELTA };
    assert.throws(() => composeAdvanced({ ...mechanism, samplingRate: 0 }), { code: "BAD_CONFIG" });
    assert.throws(() => composeAdvanced({ ...mechanism, slack: 0 }), { code: "BAD_CONFIG" });
  });
});
