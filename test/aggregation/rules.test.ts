// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ruleIdOf, ruleOf } from "../../src/aggregation/rules.ts";
import type { AggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import { nameOf } from "./fixtures.ts";

/** Rule, least K, and what it tolerates of 20. */
const TABLE: [AggregationConfig, number, number | undefined][] = [
  [{ rule: "weighted-mean" }, 1, 0],
  [{ rule: "coordinate-median" }, 3, 9],
  [{ rule: "trimmed-mean", parameters: { trim: 4 } }, 9, 4],
  [{ rule: "geometric-median" }, 3, 9],
  [{ rule: "krum", parameters: { byzantine: 0 } }, 3, 0],
  [{ rule: "krum", parameters: { byzantine: 3 } }, 9, 3],
  [{ rule: "multi-krum", parameters: { byzantine: 3 } }, 9, 3],
  [{ rule: "multi-krum", parameters: { byzantine: 3, selected: 8 } }, 11, 3],
  [{ rule: "bulyan", parameters: { byzantine: 3 } }, 15, 3],
  [{ rule: "byzfed", parameters: { filter: "mad", k: 2, sizeWeighted: false } }, 4, undefined],
  [{ rule: "centred-clipping", parameters: { radius: 1, iterations: 1 } }, 1, undefined],
  [{ rule: "uniform-mean" }, 1, 0],
  [{ rule: "mean-of-senders", parameters: { prior: "uniform" } }, 1, 0],
  [{ rule: "fltrust" }, 1, undefined],
  [{ rule: "fedatt", parameters: { attention: "cosine", temperature: 1, scope: "model", stepSize: 1 } }, 3, 0],
  [{ rule: "fedeba", parameters: { temperature: 1, prior: "uniform" } }, 1, 0],
  [{ rule: "spfl", parameters: { weighting: "ratio" } }, 1, 0],
  [{ rule: "spfl", parameters: { weighting: "ratio", audit: { filter: "tau", tau: 2 } } }, 4, undefined],
  [{ rule: "krum", parameters: { byzantine: 3 }, before: [{ step: "without-copies" }] }, 9, undefined],
  [{ rule: "geometric-median", before: [{ step: "bucketing", size: 4 }] }, 9, 2],
  [{ rule: "geometric-median", before: [{ step: "nearest-neighbour-mixing", byzantine: 5 }] }, 11, 5],
];

describe("ruleOf", () => {
  for (const [config, least, tolerated] of TABLE) {
    it(`${nameOf(config)} needs ${least} updates and tolerates ${tolerated ?? "an unknown number"} of 20`, () => {
      const { minUpdates, tolerates } = ruleOf(config);
      assert.deepEqual([minUpdates, tolerates(20)], [least, tolerated]);
    });

    it(`${nameOf(config)} has ${least} in its id, for openRun`, () =>
      assert.equal(Number.parseInt(ruleIdOf(config).slice(-4), 16), least));
  }

  it("tolerates fewer than half: of an even number one less", () =>
    assert.deepEqual(
      [3, 4, 9, 10].map((updates) => ruleOf({ rule: "coordinate-median" }).tolerates(updates)),
      [1, 1, 4, 4],
    ));
});
