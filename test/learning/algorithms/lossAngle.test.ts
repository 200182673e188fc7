// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { lossAngle, lossMoments, requireLossRange } from "../../../src/learning/algorithms/lossAngle.ts";

const angleOf = (...losses: number[]): number => {
  const moments = losses.map(lossMoments);
  const mean = (k: number): number => moments.reduce((sum, one) => sum + (one[k] as number), 0) / losses.length;
  return lossAngle(mean(0), mean(1));
};

describe("the angle of the losses", () => {
  it("of (1, 2, 3) is 22.2077 degrees", () => assert.ok(Math.abs(angleOf(1, 2, 3) - 22.2077) < 5e-5));
  it("of losses alike is 0, of all 0 too; of one among zeros the most there is", () => {
    assert.equal(angleOf(2, 2, 2, 2), 0);
    assert.equal(angleOf(0, 0), 0);
    assert.ok(Math.abs(angleOf(0, 0, 0, 2) - 60) < 1e-9);
  });
  it("follows the rule's weights: (1, 2, 3) by (.5, .5, 0) lie as (1, 2) do", () => {
    assert.equal(lossAngle(0.5 * 1 + 0.5 * 2, 0.5 * 1 + 0.5 * 4), angleOf(1, 2));
  });
  it("bears what rounding and noise make of the two means", () => {
    assert.equal(lossAngle(1.0000001, 1), 0);
    assert.equal(lossAngle(-0.1, 1), 90);
    assert.equal(lossAngle(0.1, -1e-6), 0);
    assert.equal(lossAngle(0.1, 0), 0);
  });
});

describe("losses on their way", () => {
  it("are at most 1, in quarters of nats, and so are their squares", () => {
    for (const loss of [4, 1e9, Infinity]) assert.deepEqual([...lossMoments(loss)], [1, 1]);
    assert.deepEqual([...lossMoments(1)], [0.25, 0.0625]);
  });
  it("bounds that would cut them are refused", () => {
    const layout = (fractionBits: number) => [
      { name: "weight", fractionBits: 24 },
      { name: "fedeba.losses", fractionBits },
    ];
    requireLossRange(layout(20), { maxCoordinate: 2 ** 20 });
    requireLossRange(layout(24), { maxCoordinate: 2 ** 24 - 1 });
    requireLossRange([{ name: "weight", fractionBits: 24 }], { maxCoordinate: 1 });
    assert.throws(() => requireLossRange(layout(20), { maxCoordinate: 2 ** 19 }), {
      code: "BAD_CONFIG",
      message: /lets 0\.5 through\. Set it to 1048576/,
    });
  });
});
