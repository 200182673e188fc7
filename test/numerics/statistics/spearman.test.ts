// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { spearman } from "../../../src/numerics/statistics/spearman.ts";

test("orders alone count: any rising function of the values gives 1, any falling one −1", () => {
  const x = [3, -1, 10, 4, 0.5];
  assert.equal(
    spearman(
      x,
      x.map((value) => value ** 3),
    ),
    1,
  );
  assert.equal(
    spearman(
      x,
      x.map((value) => -Math.exp(value)),
    ),
    -1,
  );
});

test("hand-worked, without and with ties", () => {
  // Ranks differ by 1, 1, 0, 1, 1: 1 − 6·4/(5·24).
  assert.ok(Math.abs(spearman([1, 2, 3, 4, 5], [2, 1, 3, 5, 4]) - 0.8) < 1e-15);
  // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5/√(4.5·5).
  assert.ok(Math.abs(spearman([10, 20, 20, 30], [1, 2, 3, 4]) - 4.5 / Math.sqrt(22.5)) < 1e-15);
});

test("what has no order has no correlation", () => {
  assert.ok(Number.isNaN(spearman([1, 1, 1], [1, 2, 3])));
  assert.ok(Number.isNaN(spearman([1], [2])));
  assert.throws(() => spearman([1, 2], [1]), RangeError);
});
