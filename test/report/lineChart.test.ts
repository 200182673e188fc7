// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { axisTicks } from "../../src/report/lineChart.ts";

test("ticks are round numbers that enclose the values", () => {
  assert.deepEqual(axisTicks([0.1028, 0.9361], [0, 1]).ticks, [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(axisTicks([0.91, 0.94], [0, 1]).ticks, [0.91, 0.92, 0.93, 0.94]);
});

test("a single value, equal values and no values still make an axis", () => {
  for (const values of [[0.5], [0.5, 0.5], [0], [1], []])
    assert.ok(axisTicks(values, [0, 1]).ticks.length >= 2, JSON.stringify(values));
});

test("for any values the axis is short, ascending, evenly spaced and contains them", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 12 }), (values) => {
      const { ticks, step } = axisTicks(values, [0, Number.POSITIVE_INFINITY]);
      assert.ok(ticks.length >= 2 && ticks.length <= 9, `${ticks.length} ticks`);
      const [low = 0, high = 0] = [ticks[0], ticks.at(-1)];
      const slack = step * 1e-6;
      assert.ok(low <= Math.min(...values) + slack && high >= Math.max(...values) - slack, `${low} … ${high}`);
      for (const [index, tick] of ticks.entries()) assert.ok(Math.abs(tick - low - index * step) <= slack);
    }),
    { seed: 20_240_611 },
  );
});
