// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { effectiveSampling, noiseOf, noiseToSignal, requireSound, roundCurve } from "../../src/privacy/deployment.ts";
import { ORDERS } from "../../src/privacy/rdp.ts";

const base = { clipNorm: 3, noiseMultiplier: 2, cohort: 16 };
const surroundings = {
  rule: { name: "weighted-mean", sizeWeighted: false },
  singleUpdatesSeen: true,
  replayable: true,
};

describe("noiseOf", () => {
  it("local: 2zC at each client, 2zC/√K on the mean", () => {
    const { client, server, mean } = noiseOf({ ...base, mode: "local" });
    assert.deepEqual([client, server, mean], [12, 0, 3]);
  });
  it("central: zC on the sum, zC/K on the mean", () => {
    const { client, server, mean } = noiseOf({ ...base, mode: "central" });
    assert.deepEqual([client, server, mean], [0, 6, 6 / 16]);
  });
  it("distributed: zC/√K at each client is zC/K on the mean", () => {
    const { client, server, mean } = noiseOf({ ...base, mode: "distributed" });
    assert.deepEqual([client, server, mean], [1.5, 0, 6 / 16]);
  });
  it("distributed with colluders: what the others add still sums to zC", () => {
    const { client } = noiseOf({ ...base, mode: "distributed", colluders: 7 });
    assert.equal(client, 2);
    assert.equal(client * Math.sqrt(16 - 7), 6);
  });
  it("more than half colluding, or colluders where they mean nothing, is refused", () => {
    assert.throws(() => noiseOf({ ...base, mode: "distributed", colluders: 9 }), /at most half of 16/);
    assert.throws(() => noiseOf({ ...base, mode: "local", colluders: 1 }), /distributed noise only/);
  });
});

describe("noiseToSignal", () => {
  it("ResNet-18, z = 1.486, ten clients: noise of a thousand and more times the longest signal", () => {
    const ratio = noiseToSignal({ mode: "local", clipNorm: 1, noiseMultiplier: 1.486 / 2, cohort: 10 }, 11_170_000);
    assert.ok(Math.abs(ratio - 1_571) < 1, String(ratio));
    assert.equal(noiseToSignal({ ...base, mode: "central" }, 64), 1);
  });
});

describe("effectiveSampling", () => {
  it("a published cohort hides nobody: q := 1, with the reason", () => {
    const { rate, reason } = effectiveSampling({ kind: "poisson", rate: 0.1, published: true });
    assert.equal(rate, 1);
    assert.match(reason, /published.*q := 1/);
  });
  it("a secret one counts", () => {
    assert.equal(effectiveSampling({ kind: "poisson", rate: 0.1, published: false }).rate, 0.1);
    assert.equal(effectiveSampling({ kind: "everybody", rate: 0.1, published: false }).rate, 1);
    for (const kind of ["poisson", "fixed-size"] as const)
      for (const published of [false, true])
        assert.match(effectiveSampling({ kind, rate: 1, published }).reason, /every client takes part/);
  });
});

describe("roundCurve", () => {
  const secret = { kind: "poisson", rate: 1, published: false } as const;
  const at8 = (mode: "local" | "central" | "distributed", kind: "poisson" | "fixed-size"): [string, number] => {
    const { relation, values } = roundCurve({ mode, noiseMultiplier: 2 }, { ...secret, kind });
    return [relation, values[ORDERS.indexOf(8)] as number];
  };
  it("a local release has noise z for its own sensitivity, whatever the sampling", () => {
    assert.deepEqual(at8("local", "poisson"), ["replace-one", 1]);
    const sampled = roundCurve({ mode: "local", noiseMultiplier: 2 }, { ...secret, rate: 0.1 });
    assert.equal(sampled.values[ORDERS.indexOf(8)], 1);
  });
  it("the sum of a Poisson sample costs a quarter of that of a fixed-size one, whose neighbours move it twice as far", () => {
    assert.deepEqual(at8("central", "poisson"), ["add-remove", 1]);
    assert.deepEqual(at8("central", "fixed-size"), ["replace-one", 4]);
  });
});

describe("requireSound refuses", () => {
  it("central noise after a robust rule", () =>
    assert.throws(
      () =>
        requireSound("central", {
          rule: { name: "krum", sizeWeighted: false },
          singleUpdatesSeen: true,
          replayable: false,
        }),
      /krum chooses by the data.*2C/,
    ));
  it("central noise where everybody repeats the aggregation", () =>
    assert.throws(() => requireSound("central", surroundings), /has to stay secret/));
  it("weights by sample counts, in every mode", () => {
    for (const mode of ["local", "central", "distributed"] as const)
      assert.throws(
        () => requireSound(mode, { ...surroundings, rule: { name: "weighted-mean", sizeWeighted: true } }),
        /uniform weights/,
      );
  });
  it("distributed noise where single updates are seen", () =>
    assert.throws(() => requireSound("distributed", { ...surroundings, replayable: false }), /1\/√K of the noise/));
  it("and admits local noise before any rule, and the others where they hold", () => {
    requireSound("local", { ...surroundings, rule: { name: "byzfed", sizeWeighted: false } });
    requireSound("central", { ...surroundings, replayable: false });
    requireSound("distributed", { ...surroundings, singleUpdatesSeen: false });
  });
});
