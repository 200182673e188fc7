// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { erfc, normalCdf, normalDensity } from "../../src/numerics/erfc.ts";
import { hypergeometricAtLeast, hypergeometricPmf } from "../../src/numerics/hypergeometric.ts";
import { betaInverse, betaRegularised } from "../../src/numerics/incompleteBeta.ts";
import { logBinomial, logGamma } from "../../src/numerics/logGamma.ts";
import { normalQuantile } from "../../src/numerics/normalQuantile.ts";

/** References: mpmath with 40 digits, and the values of the specification, section L. */
const near = (actual: number, expected: number, relative: number, label: string): void =>
  assert.ok(
    Math.abs(actual - expected) <= relative * Math.max(Math.abs(expected), Number.MIN_VALUE),
    `${label}: ${actual}, expected ${expected}`,
  );

describe("erfc and Φ", () => {
  const rows: [x: number, value: number][] = [
    [0, 1],
    [0.1, 0.887537083981715],
    [0.5, 0.4795001221869535],
    [0.9, 0.20309178757716786],
    [0.99, 0.1614919304446302],
    [1, 0.15729920705028513],
    [1.01, 0.1531895037717233],
    [1.5, 0.033894853524689274],
    [2, 0.004677734981047266],
    [2.5, 0.0004069520174449589],
    [3, 2.209049699858544e-5],
    [5, 1.537459794428035e-12],
    [8, 1.1224297172982926e-29],
    [13, 1.7395573154667246e-75],
    [20, 5.395865611607901e-176],
    [26, 5.663192408856143e-296],
    [-1, 1.842700792949715],
    [-3, 1.9999779095030015],
  ];
  it("keeps a relative accuracy of 1e-13 in the tail", () => {
    for (const [x, value] of rows) near(erfc(x), value, 1e-13, `erfc(${x})`);
  });

  it("has the limits 0 and 2, and passes NaN on", () => {
    assert.deepEqual([erfc(Infinity), erfc(-Infinity), erfc(28), erfc(NaN)], [0, 2, 0, NaN]);
    assert.deepEqual([normalCdf(-Infinity), normalCdf(Infinity), normalDensity(Infinity)], [0, 1, 0]);
  });

  it("gives Φ(−1), Φ(−5) and Φ(−8)", () => {
    near(normalCdf(-1), 0.15865525393145705, 1e-13, "Φ(−1)");
    near(normalCdf(-5), 2.866515718791939e-7, 1e-13, "Φ(−5)");
    near(normalCdf(-8), 6.220960574271784e-16, 1e-13, "Φ(−8)");
    near(normalDensity(1), 0.24197072451914337, 1e-14, "φ(1)");
  });
});

describe("Φ⁻¹", () => {
  const rows: [p: number, x: number][] = [
    [1e-300, -37.0470962993612],
    [1e-20, -9.262340089798407],
    [1e-8, -5.612001244174789],
    [0.001, -3.0902323061678136],
    [0.02, -2.053748910631823],
    [0.025, -1.9599639845400543],
    [0.3, -0.5244005127080408],
    [0.6, 0.2533471031357997],
    [0.75, 0.6744897501960817],
    [0.9, 1.2815515655446006],
    [0.975, 1.9599639845400538],
    [0.999, 3.090232306167813],
  ];
  it("matches the reference", () => {
    for (const [p, x] of rows) near(normalQuantile(p), x, 1e-14, `Φ⁻¹(${p})`);
    assert.equal(normalQuantile(0.5), 0);
    assert.deepEqual([normalQuantile(0), normalQuantile(1)], [-Infinity, Infinity]);
  });

  it("inverts Φ", () => {
    fc.assert(
      fc.property(fc.double({ min: -30, max: -1e-3, noNaN: true }), (x) =>
        near(normalQuantile(normalCdf(x)), x, 1e-13, `${x}`),
      ),
    );
  });

  it("refuses what is no probability", () => {
    for (const p of [-0.1, 1.1, NaN]) assert.throws(() => normalQuantile(p), /probability lies between 0 and 1/);
  });
});

describe("ln Γ", () => {
  it("matches the reference", () => {
    const rows: [x: number, value: number][] = [
      [1e-5, 11.512919692895826],
      [0.1, 2.252712651734206],
      [0.5, 0.5723649429247001],
      [1.5, -0.12078223763524522],
      [2.5, 0.2846828704729192],
      [5, 3.1780538303479458],
      [10.3, 13.482036786138359],
      [100, 359.1342053695754],
      [501, 2611.330458460156],
      [1e6, 12815504.569147613],
    ];
    for (const [x, value] of rows) near(logGamma(x), value, 1e-14, `ln Γ(${x})`);
    for (const x of [0, -1, NaN, Infinity]) assert.throws(() => logGamma(x), /finite positive/);
  });

  it("counts combinations", () => {
    near(Math.exp(logBinomial(10, 3)), 120, 1e-13, "10 over 3");
    assert.equal(logBinomial(10, 11), -Infinity);
    assert.equal(logBinomial(10, -1), -Infinity);
  });
});

describe("the incomplete beta function", () => {
  it("matches the reference", () => {
    const rows: [x: number, a: number, b: number, value: number][] = [
      [0.3, 0.5, 0.5, 0.36901011956554536],
      [0.4, 2, 3, 0.5248],
      [0.3, 10, 20, 0.3640040810719442],
      [0.95, 480, 21, 0.17885071644569692],
      [0.9, 1, 100, 1],
      [1e-5, 0.1, 3, 0.3652424056728784],
      [0.5, 1000, 1000, 0.5],
      [0.999, 2, 0.5, 0.9525816464857751],
      [0, 2, 3, 0],
      [1, 2, 3, 1],
    ];
    for (const [x, a, b, value] of rows) near(betaRegularised(x, a, b), value, 1e-12, `I_${x}(${a}, ${b})`);
  });

  it("has the inverse of the specification", () => {
    near(betaInverse(0.5, 2, 3), 0.3857275681, 1e-9, "(2, 3, .5)");
    near(betaInverse(0.0005, 480, 21), 0.9227053081, 1e-9, "(480, 21, .0005)");
    near(betaInverse(0.9995, 16, 485), 0.0638631965, 1e-9, "(16, 485, .9995)");
    assert.deepEqual([betaInverse(0, 2, 3), betaInverse(1, 2, 3)], [0, 1]);
  });

  it("is inverted within the slope of its argument", () => {
    const shape = fc.double({ min: 1, max: 500, noNaN: true });
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true }), shape, shape, (p, a, b) => {
        assert.ok(Math.abs(betaRegularised(betaInverse(p, a, b), a, b) - p) < 1e-10);
      }),
    );
  });

  it("refuses arguments outside its domain", () => {
    assert.throws(() => betaRegularised(1.1, 1, 1), /0 ≤ x ≤ 1/);
    assert.throws(() => betaRegularised(0.5, 0, 1), /finite and positive/);
    assert.throws(() => betaInverse(-0.1, 1, 1), /probability/);
  });
});

describe("the hypergeometric distribution", () => {
  const draw = { population: 100, marked: 20, draws: 10 };
  it("matches the specification", () => {
    const expected = [0.095116, 0.267933, 0.318171, 0.209208, 0.084107, 0.021531];
    for (const [k, value] of expected.entries())
      assert.ok(Math.abs(hypergeometricPmf(k, draw) - value) < 5e-7, `pmf(${k})`);
    assert.ok(Math.abs(hypergeometricAtLeast(5, draw) - 0.025464546) < 5e-10);
    assert.ok(Math.abs(hypergeometricAtLeast(0, draw) - 1) < 1e-12);
    assert.equal(hypergeometricPmf(11, draw), 0);
  });

  it("refuses an impossible draw", () => {
    assert.throws(() => hypergeometricPmf(1, { population: 5, marked: 6, draws: 1 }), /No such draw/);
    assert.throws(() => hypergeometricPmf(0.5, draw), /No such draw/);
  });
});
