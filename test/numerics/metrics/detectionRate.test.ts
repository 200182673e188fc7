// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { detectionRate } from "../../../src/numerics/metrics/detectionRate.ts";

/** Every threshold tried. */
function slowly(scores: readonly number[], positive: readonly boolean[], limit: number): number {
  const of = (kind: boolean) => scores.filter((_, i) => positive[i] === kind);
  const share = (values: readonly number[], threshold: number) =>
    values.filter((value) => value >= threshold).length / values.length;
  return [...scores, Infinity]
    .filter((threshold) => share(of(false), threshold) <= limit)
    .reduce((best, threshold) => Math.max(best, share(of(true), threshold)), 0);
}

describe("detection rate at a bounded false positive rate", () => {
  it("counts the positives above the last threshold that is allowed", () => {
    // From above: + + − + −. With no false alarm 2 of 3; with one of two 3 of 3.
    const scores = [5, 4, 3, 2, 1];
    const positive = [true, true, false, true, false];
    assert.equal(detectionRate(scores, positive, 0.05), 2 / 3);
    assert.equal(detectionRate(scores, positive, 0.5), 1);
  });

  it("keeps equal scores on one side: a positive that a negative ties with is not found for free", () => {
    assert.equal(detectionRate([2, 1, 1], [true, true, false], 0.05), 0.5);
    assert.equal(detectionRate([1, 1], [true, false], 0.05), 0);
  });

  it("is NaN without positives, and refuses scores that are no numbers", () => {
    assert.equal(detectionRate([1, 2], [false, false], 0.05), Number.NaN);
    assert.throws(() => detectionRate([Number.NaN], [true], 0.05), /Score 0 is NaN/);
    assert.throws(() => detectionRate([1], [true, false], 0.05), /1 scores for 2 labels/);
  });

  it("is what trying every threshold gives", () => {
    const samples = fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.boolean()), { minLength: 2, maxLength: 30 });
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (drawn, limit) => {
        const positive = drawn.map(([, kind]) => kind);
        fc.pre(positive.includes(true) && positive.includes(false));
        const scores = drawn.map(([score]) => score);
        assert.equal(detectionRate(scores, positive, limit), slowly(scores, positive, limit));
      }),
    );
  });
});
