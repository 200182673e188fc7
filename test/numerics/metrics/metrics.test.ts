// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { auroc, macroAuroc } from "../../../src/numerics/metrics/auroc.ts";
import { bleu4 } from "../../../src/numerics/metrics/bleu.ts";
import { accuracy, macroF1 } from "../../../src/numerics/metrics/classification.ts";
import { convergenceRound } from "../../../src/numerics/metrics/convergence.ts";
import { fairnessSpread, jainIndex } from "../../../src/numerics/metrics/fairness.ts";
import { detection, robustness } from "../../../src/numerics/metrics/robustness.ts";

const near = (actual: number, expected: number, tolerance: number): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, expected ${expected}`);

describe("classification", () => {
  it("counts accuracy and macro-F1", () => {
    assert.equal(accuracy([0, 1, 2, 2], [0, 1, 1, 2]), 0.75);
    // F1 of the classes: 1, 2·1/(1+2), 2·1/(2+1); class 3 never occurs.
    near(macroF1([0, 1, 2, 2], [0, 1, 1, 2], 4), (1 + 2 / 3 + 2 / 3) / 3, 1e-15);
    assert.equal(macroF1([1, 1], [0, 0], 2), 0);
    assert.throws(() => accuracy([1], []), /1 predictions for 0 labels/);
  });
});

describe("AUROC", () => {
  it("matches the specification, ties at half", () => {
    assert.equal(auroc([0.1, 0.4, 0.35, 0.8], [false, false, true, true]), 0.75);
    assert.equal(auroc([0.1, 0.4, 0.4, 0.8], [false, false, true, true]), 0.875);
    assert.ok(Number.isNaN(auroc([1, 2], [true, true])));
    assert.throws(() => auroc([NaN, 1], [true, false]), /NaN/);
  });

  it("is the share of pairs in the right order", () => {
    const sample = fc.tuple(fc.integer({ min: 0, max: 5 }), fc.boolean());
    fc.assert(
      fc.property(fc.array(sample, { minLength: 2, maxLength: 30 }), (samples) => {
        const up = samples.filter(([, y]) => y);
        const down = samples.filter(([, y]) => !y);
        let pairs = 0;
        for (const [p] of up) for (const [q] of down) pairs += p > q ? 1 : p === q ? 0.5 : 0;
        const area = auroc(
          samples.map(([x]) => x),
          samples.map(([, y]) => y),
        );
        if (up.length === 0 || down.length === 0) assert.ok(Number.isNaN(area));
        else near(area, pairs / (up.length * down.length), 1e-12);
      }),
    );
  });

  it("averages one class against the rest over the classes that occur", () => {
    const scores = [0.8, 0.1, 0.1, 0.2, 0.7, 0.1, 0.6, 0.3, 0.1];
    // Class 0 against the rest: (.8, .2, .6) with labels (0, 1, 1) → 1; class 1: (.1, .7, .3) → 1; class 2 does not occur.
    assert.equal(macroAuroc(scores, [0, 1, 1], 3), 1);
    assert.ok(Number.isNaN(macroAuroc(scores, [1, 1, 1], 3)));
  });
});

describe("fairness", () => {
  it("matches the specification", () => {
    near(jainIndex([0.9, 0.8, 0.7]), 0.989691, 5e-7);
    assert.equal(jainIndex([0, 0]), 1);
    near(jainIndex([1, 0, 0, 0]), 0.25, 1e-15);
  });

  it("takes the tails as means of the outer twentieth", () => {
    const spread = fairnessSpread(Array.from({ length: 40 }, (_, i) => (39 - i) / 100));
    near(spread.worst, 0.005, 1e-15);
    near(spread.best, 0.385, 1e-15);
    near(spread.range, 0.39, 1e-15);
    near(spread.variance, (40 * 40 - 1) / 12 / 1e4, 1e-12);
    assert.equal(fairnessSpread([0.5, 0.7]).worst, 0.5);
  });
});

describe("robustness and detection", () => {
  it("tells per cent from points", () => {
    const { dropPercent, dropPoints, retained } = robustness(0.905, 0.848);
    near(retained, 0.937, 5e-5);
    near(dropPoints, 5.7, 1e-12);
    near(dropPercent, 6.2983, 5e-5);
    assert.throws(() => robustness(0, 0.5), /Nothing can be retained/);
  });

  it("counts precision, recall and false positives of the dropped", () => {
    const kept = [true, false, false, true, true];
    const malicious = [false, false, true, true, false];
    assert.deepEqual(detection(kept, malicious), { precision: 0.5, recall: 0.5, falsePositiveRate: 1 / 3 });
    assert.ok(Number.isNaN(detection([true], [false]).precision));
  });
});

describe("convergence round", () => {
  it("needs three evaluations in a row", () => {
    assert.equal(convergenceRound([0.1, 0.96, 0.5, 0.96, 0.97, 0.99, 1]), 3);
    assert.equal(convergenceRound([0.1, 0.5, 0.5], { target: 0.6 }), undefined);
    assert.equal(convergenceRound([0.7, 0.5], { target: 0.6, consecutive: 1 }), 0);
    assert.equal(convergenceRound([]), undefined);
  });
});

describe("BLEU-4", () => {
  const tokens = (text: string): string[] => text.split(" ");
  it("is 1 for the reference itself and 0 without a common 4-gram", () => {
    const text = tokens("the cat sat on the mat");
    near(bleu4([text], [[text]]), 1, 1e-12);
    assert.equal(bleu4([tokens("mat the on sat cat the")], [[text]]), 0);
  });

  it("clips repeats and punishes brevity", () => {
    // 1-grams 5/5, 2-grams 4/4, 3-grams 3/3, 4-grams 2/2, five tokens for six: exp(1 − 6/5).
    near(bleu4([tokens("the cat sat on the")], [[tokens("the cat sat on the mat")]]), Math.exp(-0.2), 1e-12);
    // "a b c d d d": 4/6, 3/5, 2/4, 1/3.
    const expected = ((4 / 6) * (3 / 5) * (2 / 4) * (1 / 3)) ** 0.25;
    near(bleu4([tokens("a b c d d d")], [[tokens("a b c d")]]), expected, 1e-12);
    // Of two references equally near in length the shorter counts: no penalty.
    near(bleu4([tokens("a b c d e")], [[tokens("a b c d"), tokens("a b c d e f")]]), 1, 1e-12);
  });

  it("refuses a candidate without reference", () => {
    assert.throws(() => bleu4([["a"]], [[]]), /no reference/);
  });
});
