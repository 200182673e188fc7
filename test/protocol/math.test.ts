// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { exp, log, logSumExp, roundHalfAwayFromZero } from "../../src/protocol/math.ts";
import { keyedRandom } from "../../src/protocol/random.ts";

interface Row {
  readonly x: string;
  readonly value: string;
  readonly nearest: string;
}
const vectors = JSON.parse(readFileSync(new URL("../vectors/math.json", import.meta.url), "utf8")) as {
  exp: Row[];
  log: Row[];
  logSumExp: { x: string[]; value: string }[];
};

const toHex = (x: number): string => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(x);
  return bytes.toString("hex");
};
const fromHex = (hex: string): number => Buffer.from(hex, "hex").readDoubleBE();
/** Steps between two floats of the same sign; also right across a power of two and into subnormals. */
const ulps = (a: number, b: number): bigint => {
  const distance = BigInt(`0x${toHex(Math.abs(a))}`) - BigInt(`0x${toHex(Math.abs(b))}`);
  return distance < 0n ? -distance : distance;
};

describe("exp and log", () => {
  for (const [name, f] of [
    ["exp", exp],
    ["log", log],
  ] as const) {
    it(`${name} gives the recorded bits, within one ulp of the correctly rounded value`, () => {
      for (const { x, value, nearest } of vectors[name]) {
        const result = f(fromHex(x));
        assert.equal(toHex(result), value, `${name}(${fromHex(x)})`);
        assert.ok(ulps(result, fromHex(nearest)) <= 1n, `${name}(${fromHex(x)}) is more than one ulp off`);
      }
    });
  }

  it("stays within one ulp of this engine's Math over the whole range", () => {
    const random = keyedRandom("math test");
    for (let i = 0; i < 100_000; i++) {
      const x = (random.uniform() - 0.5) * 1490;
      assert.ok(ulps(exp(x), Math.exp(x)) <= 1n, `exp(${x})`);
      const small = (random.uniform() - 0.5) * 2;
      assert.ok(ulps(exp(small), Math.exp(small)) <= 1n, `exp(${small})`);
      const y = i % 2 === 0 ? random.uniform() * 3 : exp(x);
      if (y > 0)
        assert.ok(ulps(log(y), Math.log(y)) <= 1n && Math.sign(log(y)) === Math.sign(Math.log(y)), `log(${y})`);
    }
  });

  it("treats the ends of the range as IEEE 754 functions do", () => {
    assert.ok(Number.isNaN(exp(NaN)));
    assert.equal(exp(Infinity), Infinity);
    assert.equal(exp(-Infinity), 0);
    assert.equal(exp(709.782712893385), Infinity);
    assert.ok(Number.isFinite(exp(709.782712893384)));
    assert.equal(exp(-745.1332191019411), 5e-324);
    assert.equal(exp(-745.1332191019412), 0);
    assert.ok(Number.isNaN(log(NaN)));
    assert.ok(Number.isNaN(log(-1)));
    assert.equal(log(0), -Infinity);
    assert.equal(log(-0), -Infinity);
    assert.equal(log(Infinity), Infinity);
    assert.ok(Object.is(log(1), 0));
  });
});

describe("logSumExp", () => {
  it("gives the recorded bits", () => {
    for (const { x, value } of vectors.logSumExp) assert.equal(toHex(logSumExp(x.map(fromHex))), value);
  });

  it("is 1000.9740769842 for (1000, 1000.5), where e^1000 overflows", () => {
    assert.ok(Math.abs(logSumExp([1000, 1000.5]) - 1000.9740769842) < 1e-9);
  });

  it("reads only its window", () => {
    assert.equal(logSumExp([5, 1, 2, 9], 1, 2), logSumExp([1, 2]));
  });

  it("has the limits of its terms", () => {
    assert.equal(logSumExp([]), -Infinity);
    assert.equal(logSumExp([-Infinity, -Infinity]), -Infinity);
    assert.equal(logSumExp([1, Infinity]), Infinity);
    assert.ok(Number.isNaN(logSumExp([1, NaN])));
    assert.equal(logSumExp([-Infinity, 2]), 2);
  });
});

describe("roundHalfAwayFromZero", () => {
  it("rounds halves outwards and everything else to the nearest", () => {
    for (const [x, rounded] of [
      [2.5, 3],
      [-2.5, -3],
      [0.5, 1],
      [-0.5, -1],
      [0.49999999999999994, 0],
      [-0.2, 0],
      [4503599627370495.5, 4503599627370496],
      [9007199254740991, 9007199254740991],
      [-1.4999999999999998, -1],
    ] as const) {
      assert.ok(Object.is(roundHalfAwayFromZero(x), rounded), `${x} → ${roundHalfAwayFromZero(x)}`);
    }
  });
});
