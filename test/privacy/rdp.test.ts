// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { gaussianEpsilon } from "../../src/privacy/gaussianMechanism.ts";
import type { NeighbourRelation } from "../../src/privacy/neighbours.ts";
import {
  composeRdp,
  epsilonOf,
  fixedSizeGaussian,
  leastEpsilon,
  noiseMultiplierFor,
  ORDERS,
  poissonGaussian,
  type RdpCurve,
  repeatRdp,
} from "../../src/privacy/rdp.ts";

const DELTA = 1e-5;
const near = (actual: number, expected: number, tolerance = 1e-6): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);
const at = (curve: RdpCurve<NeighbourRelation>, order: number): number => curve.values[ORDERS.indexOf(order)] as number;

describe("poissonGaussian", () => {
  /** q, z, T, ε, its order, ε by the classic conversion, its order; cross-checked with Opacus (spec D4). */
  const table = [
    [1, 1, 1, 4.752728, 5, 5.302585, 6],
    [1, 5, 1, 0.794522, 22, 0.979705, 25],
    [1, 10, 100, 4.752728, 5, 5.302585, 6],
    [0.01, 4, 10_000, 1.03549, 17, 1.258575, 20],
    [0.01, 1, 1_000, 2.107753, 8, 2.538348, 8],
    [0.02, 1.1, 500, 2.576589, 7, 3.055058, 7],
    [256 / 60_000, 1.1, 14_100, 2.600718, 8, 3.013342, 9],
    [0.1, 1, 100, 7.972922, 3, 8.927693, 3],
    [0.1, 2, 100, 2.586652, 8, 3.017247, 8],
    [0.1, 4, 1_000, 3.743129, 6, 4.244506, 7],
    [0.2, 1.5, 50, 5.830936, 4, 6.580716, 4],
    [0.5, 2, 30, 7.808908, 4, 8.558688, 4],
  ] as const;
  for (const [q, z, rounds, epsilon, order, classic, classicOrder] of table) {
    it(`q = ${q}, z = ${z}, T = ${rounds}: ε = ${epsilon} at order ${order}`, () => {
      const curve = repeatRdp(poissonGaussian(q, z), rounds);
      const tight = epsilonOf(curve, DELTA);
      near(tight.epsilon, epsilon);
      assert.equal(tight.order, order);
      assert.equal(tight.relation, "add-remove");
      near(epsilonOf(curve, DELTA, "classic").epsilon, classic);
      assert.equal(epsilonOf(curve, DELTA, "classic").order, classicOrder);
    });
  }

  it("the moments themselves, at four orders", () => {
    const tenth = poissonGaussian(0.1, 2);
    for (const [order, value] of [
      [2, 0.00283622826627],
      [4, 0.00600328296449],
      [8, 0.0137254301032],
      [16, 0.0452918390836],
    ] as const)
      near(at(tenth, order), value, 1e-13);
    near(at(tenth, 2), Math.log1p(0.01 * Math.expm1(0.25)), 1e-15);
    const hundredth = poissonGaussian(0.01, 1);
    near(at(hundredth, 2), 1.71813422e-4, 1e-12);
    near(at(hundredth, 8), 8.93643908e-4, 1e-12);
    near(at(hundredth, 16), 3.0878507837, 1e-10);
  });

  it("nobody sampled costs nothing, no noise costs everything, and everybody sampled α/(2z²)", () => {
    assert.equal(epsilonOf(poissonGaussian(0, 1), DELTA).epsilon, 0);
    assert.ok(poissonGaussian(0, 0).values.every((value) => value === 0));
    assert.ok(poissonGaussian(0.1, 0).values.every((value) => value === Number.POSITIVE_INFINITY));
    assert.equal(epsilonOf(repeatRdp(poissonGaussian(0.1, 0), 3), DELTA).epsilon, Number.POSITIVE_INFINITY);
    assert.equal(at(repeatRdp(poissonGaussian(0.1, 0), 0), 2), 0);
    assert.equal(at(poissonGaussian(1, 2), 7), 7 / 8);
  });

  it("is monotone in q, 1/z, T and 1/δ", () => {
    const situation = fc.record({
      q: fc.double({ min: 0.001, max: 1, noNaN: true }),
      z: fc.double({ min: 0.3, max: 20, noNaN: true }),
      rounds: fc.integer({ min: 1, max: 1_000 }),
      more: fc.double({ min: 1, max: 3, noNaN: true }),
    });
    fc.assert(
      fc.property(situation, ({ q, z, rounds, more }) => {
        const epsilon = (rate: number, noise: number, times: number, delta: number): number =>
          epsilonOf(repeatRdp(poissonGaussian(rate, noise), times), delta).epsilon;
        const base = epsilon(q, z, rounds, DELTA);
        const slack = 1e-9 * (1 + base);
        assert.ok(epsilon(Math.min(1, q * more), z, rounds, DELTA) >= base - slack);
        assert.ok(epsilon(q, z / more, rounds, DELTA) >= base - slack);
        assert.ok(epsilon(q, z, rounds + 1, DELTA) >= base - slack);
        assert.ok(epsilon(q, z, rounds, DELTA / more) >= base - slack);
      }),
      { seed: 1, numRuns: 20 },
    );
  });

  it("never promises more than the exact figure of one release: 4.377178 at z = 1, 0.725522 at z = 5", () => {
    near(gaussianEpsilon(1, DELTA, 1), 4.377178);
    near(gaussianEpsilon(5, DELTA, 1), 0.725522);
    fc.assert(
      fc.property(
        fc.double({ min: 0.3, max: 30, noNaN: true }),
        fc.double({ min: 1e-9, max: 0.1, noNaN: true }),
        (z, delta) => {
          assert.ok(epsilonOf(poissonGaussian(1, z), delta).epsilon >= gaussianEpsilon(z, delta, 1) - 1e-9);
        },
      ),
      { seed: 2, numRuns: 100 },
    );
  });
});

describe("noiseMultiplierFor", () => {
  for (const [q, epsilon, rounds, z] of [
    [0.1, 4, 100, 1.486369],
    [0.1, 4, 500, 2.750269],
    [0.1, 4, 1_000, 3.77657],
    [0.1, 2, 100, 2.426316],
    [0.1, 2, 500, 4.932654],
    [0.1, 2, 1_000, 6.887044],
  ] as const)
    it(`q = ${q}, ε = ${epsilon}, T = ${rounds}: z = ${z}`, () =>
      near(
        noiseMultiplierFor((m) => poissonGaussian(q, m), { epsilon, delta: DELTA, rounds }),
        z,
      ));
  it("q = 1, T = 1000, ε = 2: z = 67.9788", () =>
    near(
      noiseMultiplierFor((m) => poissonGaussian(1, m), { epsilon: 2, delta: DELTA, rounds: 1_000 }),
      67.9788,
      1e-4,
    ));
});

describe("leastEpsilon", () => {
  it("is what is left of ε when there is as good as no loss, and no noise brings it lower", () => {
    near(leastEpsilon(DELTA), 0.0195, 5e-5);
    for (const delta of [1e-12, 1e-9, DELTA, 1e-3, 0.1]) {
      const least = leastEpsilon(delta);
      near(epsilonOf(poissonGaussian(1, 1e9), delta).epsilon, least, 1e-12);
      const z = noiseMultiplierFor((m) => poissonGaussian(1, m), { epsilon: least + 1e-6, delta, rounds: 10 });
      assert.ok(epsilonOf(repeatRdp(poissonGaussian(1, z), 10), delta).epsilon <= least + 1e-6);
    }
    assert.equal(leastEpsilon(0.5), 0);
    assert.throws(() => leastEpsilon(1), /δ is 1/);
  });

  it("is named where noise for less is asked for, with the values and what to do", () => {
    for (const epsilon of [0.01, leastEpsilon(DELTA) * (1 - 1e-9)])
      assert.throws(
        () => noiseMultiplierFor((m) => poissonGaussian(1, m), { epsilon, delta: DELTA, rounds: 1 }),
        (error: Error & { code?: string; values?: object }) => {
          assert.equal(error.code, "BAD_CONFIG");
          assert.ok(error.message.includes(`No noise keeps ε = ${epsilon} at δ = 0.00001`), error.message);
          assert.match(error.message, /ε stays above 0\.019[45]\d* at this δ\. Ask for an ε clearly above/);
          assert.deepEqual(error.values, { epsilon, delta: DELTA, floor: leastEpsilon(DELTA) });
          return true;
        },
      );
  });
});

describe("fixedSizeGaussian", () => {
  for (const [ratio, epsilon, order, poisson] of [
    [2, 14.05375, 3, 2.586652],
    [4, 5.837854, 4, 1.081702],
    [8, 3.506144, 5, 0.491169],
  ] as const)
    it(`q = 0.1, T = 100, σ/C = ${ratio}: ε = ${epsilon} for a replaced client, ${poisson} for an added one`, () => {
      const replaced = epsilonOf(repeatRdp(fixedSizeGaussian(0.1, ratio / 2), 100), DELTA);
      near(replaced.epsilon, epsilon);
      assert.deepEqual([replaced.order, replaced.relation], [order, "replace-one"]);
      near(epsilonOf(repeatRdp(poissonGaussian(0.1, ratio), 100), DELTA).epsilon, poisson);
    });

  it("sampling never costs more than no sampling", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0.2, max: 20, noNaN: true }), (q, z) => {
        const whole = fixedSizeGaussian(1, z).values;
        assert.ok(fixedSizeGaussian(q, z).values.every((value, i) => value <= (whole[i] as number)));
      }),
      { seed: 3, numRuns: 60 },
    );
  });
});

describe("composeRdp", () => {
  it("adds rounds with different parameters", () => {
    const both = composeRdp(poissonGaussian(1, 2), poissonGaussian(1, 4));
    assert.equal(at(both, 8), 8 / 8 + 8 / 32);
  });

  it("refuses to add curves of different neighbours, in types and at run time", () => {
    const replaced = fixedSizeGaussian(1, 2);
    // @ts-expect-error A curve of replaced clients is no curve of added ones.
    assert.throws(() => composeRdp(poissonGaussian(1, 2), replaced), /"replace-one" neighbours cannot be combined/);
    const read = { ...fixedSizeGaussian(1, 2) } as RdpCurve<NeighbourRelation>;
    assert.throws(() => composeRdp(poissonGaussian(1, 2) as RdpCurve<NeighbourRelation>, read), { code: "BAD_CONFIG" });
  });
});
