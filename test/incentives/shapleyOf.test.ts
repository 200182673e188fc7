// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gtgShapley } from "../../src/incentives/gtgShapley.ts";
import { exactShapley, monteCarloShapley } from "../../src/incentives/shapley.ts";
import { shapleyOf } from "../../src/incentives/shapleyOf.ts";
import { scoringSchema } from "../../src/protocol/recipe/scoringConfig.ts";
import { learners } from "./games.ts";

const name = { beacon: new Uint8Array(32).fill(1), run: 5n, round: 2 };
const scoring = { permutations: 12, truncation: 2_000 };

describe("shapleyOf", () => {
  it("scores by the recipe's method", async () => {
    const utility = learners(6);
    const expected = {
      exact: await exactShapley(6, utility),
      "monte-carlo": await monteCarloShapley(6, utility, { ...scoring, ...name }),
      gtg: await gtgShapley(6, utility, { ...scoring, ...name }),
    };
    for (const [method, scores] of Object.entries(expected)) {
      assert.deepEqual(await shapleyOf({ ...scoring, method: method as "exact" }, 6, utility, name), scores);
      const others = Object.entries(expected).filter(([other]) => other !== method);
      for (const [, other] of others) assert.notDeepEqual(scores, other);
    }
  });

  it("refuses more than ten players for exact scores", async () => {
    await assert.rejects(shapleyOf({ ...scoring, method: "exact" }, 11, learners(11), name), { code: "BAD_SCORING" });
  });
});

describe("scoring schema", () => {
  const engine = { package: "onnxruntime-web", version: "1.30.0", batchSize: 8 };
  it("takes recipes without a method as before, and the methods that validators can agree on", () => {
    for (const method of [undefined, "exact", "monte-carlo", "gtg", "in-run", "in-run-second-order"])
      assert.ok(scoringSchema.safeParse({ mode: "attested", ...scoring, engine, ...(method && { method }) }).success);
    assert.ok(!scoringSchema.safeParse({ mode: "attested", ...scoring, engine, method: "cosine" }).success);
  });
});
