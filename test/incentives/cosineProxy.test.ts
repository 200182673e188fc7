// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cosineProxy } from "../../src/incentives/cosineProxy.ts";

const gramOf = (rows: readonly number[][]): bigint[][] =>
  rows.map((a) => rows.map((b) => BigInt(a.reduce((sum, x, j) => sum + x * (b[j] as number), 0))));
const close = (actual: Float64Array, expected: readonly number[]): void => {
  for (const [i, value] of actual.entries()) assert.ok(Math.abs(value - (expected[i] as number)) < 1e-12, `${value}`);
};

describe("cosineProxy", () => {
  it("by hand: movement (3, 0); along it 1, half as long as the median ½, across 0, against −1", () => {
    const rows = [
      [8, 0],
      [2, 0],
      [0, 4],
      [0, -4],
      [-4, 0],
    ];
    // Equal weights: mean (6/5, 0); norms 8, 2, 4, 4, 4.
    close(cosineProxy(gramOf(rows), new Uint32Array(5).fill(13_107)), [1, 0.5, 0, 0, -1]);
  });
  it("weighs the movement as the round did", () => {
    const rows = [
      [3, 0],
      [0, 3],
    ];
    close(cosineProxy(gramOf(rows), Uint32Array.of(65_536, 0)), [1, 0]);
    close(cosineProxy(gramOf(rows), Uint32Array.of(32_768, 32_768)), [Math.SQRT1_2, Math.SQRT1_2]);
  });
  it("zeros score 0: an update, the movement, the median of an even number averaged", () => {
    close(cosineProxy(gramOf([[0], [4], [2]]), new Uint32Array(3).fill(1)), [0, 1, 1]);
    close(cosineProxy(gramOf([[5], [-5]]), new Uint32Array(2).fill(1)), [0, 0]);
    close(cosineProxy(gramOf([[0], [0], [5]]), new Uint32Array(3).fill(1)), [0, 0, 0]);
    close(cosineProxy(gramOf([[1], [3]]), new Uint32Array(2).fill(1)), [0.5, 1]);
  });
});
