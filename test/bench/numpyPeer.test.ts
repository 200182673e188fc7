// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { faultyOf, KERNELS, RULES } from "../../bench/aggregation/work.ts";
import { NumpyPeer } from "../../bench/peers/numpyPeer.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import * as oracle from "../kernels/oracle.ts";

const K = 20;
const D = 300;

describe("numpy, which rows are compared with", () => {
  let numpy: NumpyPeer | undefined;
  before(async () => {
    numpy = await NumpyPeer.open();
  });
  after(async () => {
    await numpy?.close();
  });

  const random = keyedRandom("numpy peer");
  const updates = (range: number): Int32Array[] =>
    Array.from({ length: K }, () => Int32Array.from({ length: D }, () => random.integerBelow(2 * range + 1) - range));
  const full = updates(16_777_215);
  const narrow = updates(32_767);
  const weights = new Uint32Array(K).fill(Math.floor(65_536 / K));
  const pairs = (values: readonly Int32Array[]): string[] =>
    values.flatMap((x) => values.map((y) => String(oracle.dot(x, y))));
  const master = (values: readonly number[]): number[] => values.map((value) => value / 65_536);
  /** What each comparable operation on dense updates must give. */
  const wanted: Readonly<
    Record<string, readonly [input: readonly Int32Array[], result: readonly (number | string)[]]>
  > = {
    "sum matmul": [full, oracle.weightedSum(full, weights)],
    "sum loop": [full, oracle.weightedSum(full, weights)],
    "sum convert blas": [full, oracle.weightedSum(full, weights)],
    "gram float64 blas": [narrow, pairs(narrow)],
    "gram float64 blas, already float64": [narrow, pairs(narrow)],
    "gram int64": [narrow, pairs(narrow)],
    "gram limbs": [full, pairs(full)],
    "norms limbs": [full, full.map((x) => String(oracle.dot(x, x)))],
    median: [full, master(oracle.coordinateMedian(full))],
    "median partition": [full, master(oracle.coordinateMedian(full))],
    "median sort": [full, master(oracle.coordinateMedian(full))],
    "trimmed sort": [full, master(oracle.trimmedMean(full, faultyOf(K)))],
    "trimmed partition": [full, master(oracle.trimmedMean(full, faultyOf(K)))],
    "around median": [full, master(oracle.meanAroundMedian(full, K - 2 * faultyOf(K)))],
  };

  for (const [op, [input, result]] of Object.entries(wanted)) {
    it(`does the same work: ${op}`, async (t) => {
      if (numpy === undefined) return t.skip("numpy is absent");
      const given = await numpy.check(op, input);
      assert.equal(given.length, result.length);
      const exact = /^(?:sum|gram|norms)/.test(op);
      for (const [j, value] of given.entries()) {
        const expected = result[j] as number | string;
        if (exact) assert.equal(BigInt(value), BigInt(expected), `${op}, ${j}`);
        // Rounded to the master grid here, to float64 there; half a step of 2^-16.
        else assert.ok(Math.abs(Number(value) - Number(expected)) <= 1 / 131_072 + 1e-9, `${op}, ${j}: ${value}`);
      }
    });
  }

  it("runs every operation on data in every form that rows are compared with", async (t) => {
    if (numpy === undefined) return t.skip("numpy is absent");
    const length = 1_000_000;
    for (const form of ["dense", "int16", "int8", "sparse"]) {
      await numpy.fill({ form, k: 3, length, range: 32_767, unit: 100_000 });
      const takes = KERNELS.filter((work) => (work.form === "narrow" ? "dense" : work.form) === form);
      const ops = [...takes, ...(form === "dense" ? RULES : [])].flatMap(({ peers }) => peers);
      assert.ok(ops.length > 0);
      for (const { op } of ops) assert.ok((await numpy.run(op, 3, 100_000, 4)) > 0, op);
    }
  });

  it("reports an operation that does not exist instead of falling silent", async (t) => {
    if (numpy === undefined) return t.skip("numpy is absent");
    await assert.rejects(numpy.run("no such thing", 3, 100_000, 0), /KeyError/);
    assert.match(numpy.versions.numpy, /^\d+\.\d+/);
  });
});
