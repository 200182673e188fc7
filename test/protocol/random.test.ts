// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { keyedRandom, Random, type RandomLabel } from "../../src/protocol/random.ts";

type NamedItem = { text: string } | { integer: string } | { bytes: string };
interface Stream {
  readonly name: NamedItem[];
  readonly uint32: number[];
  readonly uniform: string[];
  readonly integerBelow10: number[];
  readonly integerBelow3e9: number[];
  readonly normal: string[];
  readonly gammaHalf: string[];
  readonly gamma4: string[];
  readonly dirichlet03of5: string[];
  readonly permutation10: number[];
  readonly derived: number;
}
const { streams } = JSON.parse(readFileSync(new URL("../vectors/random.json", import.meta.url), "utf8")) as {
  streams: Stream[];
};

const toHex = (x: number): string => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(x);
  return bytes.toString("hex");
};
const labelOf = (item: NamedItem): RandomLabel =>
  "text" in item ? item.text : "integer" in item ? BigInt(item.integer) : Buffer.from(item.bytes, "hex");
const draw = <T>(count: number, next: () => T): T[] => Array.from({ length: count }, next);

describe("keyedRandom", () => {
  for (const stream of streams) {
    it(`draws the recorded values of ${JSON.stringify(stream.name)}`, () => {
      const [seed, ...labels] = stream.name.map(labelOf);
      const open = (): Random => keyedRandom(seed as string | Uint8Array, ...labels);
      let random = open();
      assert.deepEqual(
        draw(10, () => random.nextUint32()),
        stream.uint32,
      );
      random = open();
      assert.deepEqual(
        draw(3, () => toHex(random.uniform())),
        stream.uniform,
      );
      random = open();
      assert.deepEqual(
        draw(12, () => random.integerBelow(10)),
        stream.integerBelow10,
      );
      random = open();
      assert.deepEqual(
        draw(4, () => random.integerBelow(3_000_000_000)),
        stream.integerBelow3e9,
      );
      random = open();
      assert.deepEqual(
        draw(4, () => toHex(random.normal())),
        stream.normal,
      );
      random = open();
      assert.deepEqual(
        draw(3, () => toHex(random.gamma(0.5))),
        stream.gammaHalf,
      );
      random = open();
      assert.deepEqual(
        draw(3, () => toHex(random.gamma(4))),
        stream.gamma4,
      );
      assert.deepEqual(Array.from(open().dirichlet(0.3, 5), toHex), stream.dirichlet03of5);
      assert.deepEqual(open().permutation(10), stream.permutation10);
      assert.equal(open().derive("child", 1).nextUint32(), stream.derived);
    });
  }

  it("follows the construction in the header, written out once by hand", () => {
    const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
    const key = sha256(
      Buffer.from("foedus.v1.random" + "\x01\0\0\0\x06foedus" + "\x01\0\0\0\x07shapley" + "\x02\0\0\0\x013", "latin1"),
    );
    const random = keyedRandom("foedus", "shapley", 3);
    for (const counter of [0, 1]) {
      const block = sha256(Buffer.concat([key, Buffer.from([0, 0, 0, 0, 0, 0, 0, counter])]));
      for (let i = 0; i < 8; i++) assert.equal(random.nextUint32(), block.readUInt32BE(4 * i));
    }
  });

  it("gives one stream to equal integers however they are written", () => {
    assert.equal(keyedRandom("s", 7).nextUint32(), keyedRandom("s", 7n).nextUint32());
    assert.equal(keyedRandom("s", -0).nextUint32(), keyedRandom("s", 0).nextUint32());
  });

  it("gives different streams to names that a careless encoding would merge", () => {
    const names: [string | Uint8Array, ...RandomLabel[]][] = [
      ["ab", "c"],
      ["a", "bc"],
      ["abc"],
      ["abc", ""],
      ["", "abc"],
      ["abc", 1],
      ["abc", "1"],
      ["abc", Buffer.from("1")],
      [Buffer.from("abc"), "1"],
    ];
    const firsts = names.map(([seed, ...labels]) => keyedRandom(seed, ...labels).nextUint32());
    assert.equal(new Set(firsts).size, names.length);
  });

  it("derives the same child wherever the parent stands, and another for other labels", () => {
    const parent = keyedRandom("parent");
    const before = parent.derive("child").nextUint32();
    parent.normal();
    assert.equal(parent.derive("child").nextUint32(), before);
    assert.notEqual(parent.derive("child", 0).nextUint32(), before);
  });

  it("refuses names without a canonical form", () => {
    assert.throws(() => keyedRandom("s", 0.5), TypeError);
    assert.throws(() => keyedRandom("s", 2 ** 53), TypeError);
    assert.throws(() => keyedRandom("s", "\ud800"), TypeError);
    assert.throws(() => new Random(new Uint8Array(31)), RangeError);
  });
});

describe("distributions", () => {
  const moments = (values: ArrayLike<number>): { mean: number; variance: number } => {
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < values.length; i++) sum += values[i] as number;
    const mean = sum / values.length;
    for (let i = 0; i < values.length; i++) squares += ((values[i] as number) - mean) ** 2;
    return { mean, variance: squares / (values.length - 1) };
  };
  const near = (value: number, expected: number, standardError: number, what: string): void =>
    assert.ok(
      Math.abs(value - expected) < 4 * standardError,
      `${what}: ${value}, expected ${expected} ± ${standardError}`,
    );

  it("integerBelow(5) has no bias a χ² test could see", () => {
    const random = keyedRandom("uniformity");
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 50_000; i++) counts[random.integerBelow(5)]! += 1;
    const chiSquared = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    assert.ok(chiSquared < 18.47, `χ²(4) = ${chiSquared}, 0.999 quantile 18.47`);
  });

  it("integerBelow rejects the words that would favour small results", () => {
    // At n = 3·2^30 a quarter of all words is drawn again; without rejection [0, 2^30) would be hit twice as often.
    const random = keyedRandom("rejection");
    const n = 3 * 2 ** 30;
    let low = 0;
    for (let i = 0; i < 30_000; i++) if (random.integerBelow(n) < 2 ** 30) low += 1;
    near(low, 10_000, Math.sqrt(30_000 * (1 / 3) * (2 / 3)), "share of the lowest third");
  });

  it("normal has mean 0, variance 1 and no skew", () => {
    const random = keyedRandom("normal");
    const n = 100_000;
    const values = Float64Array.from({ length: n }, () => random.normal());
    const { mean, variance } = moments(values);
    near(mean, 0, 1 / Math.sqrt(n), "mean");
    near(variance, 1, Math.sqrt(2 / n), "variance");
    near(values.reduce((sum, x) => sum + x ** 3, 0) / n, 0, Math.sqrt(15 / n), "third moment");
    near(values.reduce((sum, x) => sum + x ** 4, 0) / n, 3, Math.sqrt(96 / n), "fourth moment");
  });

  for (const shape of [0.3, 1, 4]) {
    it(`gamma(${shape}) has mean and variance ${shape}`, () => {
      const random = keyedRandom("gamma", String(shape));
      const n = 50_000;
      const { mean, variance } = moments(Float64Array.from({ length: n }, () => random.gamma(shape)));
      near(mean, shape, Math.sqrt(shape / n), "mean");
      // Var(s²) ≈ (μ4 − σ⁴)/n with μ4 = 3a² + 6a for a gamma variate.
      near(variance, shape, Math.sqrt((2 * shape * shape + 6 * shape) / n), "variance");
    });
  }

  it("dirichlet shares sum to one, average 1/n, and spread as α(n−1)/(n²(nα+1)) says", () => {
    const random = keyedRandom("dirichlet");
    const draws = draw(4_000, () => random.dirichlet(0.3, 5));
    for (const shares of draws) assert.ok(Math.abs(shares.reduce((a, b) => a + b, 0) - 1) < 1e-12);
    const expectedVariance = (0.2 * 0.8) / (5 * 0.3 + 1);
    for (let i = 0; i < 5; i++) {
      const { mean, variance } = moments(draws.map((shares) => shares[i] as number));
      near(mean, 0.2, Math.sqrt(expectedVariance / 4_000), `share ${i}`);
      assert.ok(Math.abs(variance / expectedVariance - 1) < 0.15, `variance of share ${i}: ${variance}`);
    }
  });

  it("dirichlet survives an alpha at which most gamma variates underflow", () => {
    const random = keyedRandom("tiny alpha");
    for (let i = 0; i < 200; i++) {
      const shares = random.dirichlet(1e-3, 2);
      assert.ok(Math.abs((shares[0] as number) + (shares[1] as number) - 1) < 1e-12);
    }
  });

  it("permutation reaches all 24 orders of four items about equally often", () => {
    const random = keyedRandom("permutation");
    const counts = new Map<string, number>();
    for (let i = 0; i < 24_000; i++) {
      const order = random.permutation(4).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    assert.equal(counts.size, 24);
    const chiSquared = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    assert.ok(chiSquared < 49.73, `χ²(23) = ${chiSquared}, 0.999 quantile 49.73`);
  });

  it("permutation of nothing and of one item needs no draw", () => {
    const random = keyedRandom("short");
    assert.deepEqual(random.permutation(0), []);
    assert.deepEqual(random.permutation(1), [0]);
    assert.equal(random.nextUint32(), keyedRandom("short").nextUint32());
  });

  it("shuffled leaves its argument alone", () => {
    const items = Object.freeze(["a", "b", "c", "d", "e"]);
    assert.deepEqual(keyedRandom("items").shuffled(items).toSorted(), [...items]);
  });

  it("refuses parameters outside the definition", () => {
    const random = keyedRandom("refusals");
    for (const n of [0, -1, 1.5, 2 ** 32 + 1, NaN]) assert.throws(() => random.integerBelow(n), RangeError);
    for (const shape of [0, -1, NaN, Infinity]) assert.throws(() => random.gamma(shape), RangeError);
    for (const alpha of [0, 1e-4, NaN, Infinity]) assert.throws(() => random.dirichlet(alpha, 2), RangeError);
    assert.throws(() => random.dirichlet(1, 0), RangeError);
    assert.throws(() => random.permutation(-1), RangeError);
  });
});
