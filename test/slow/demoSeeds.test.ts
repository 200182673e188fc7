// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEMO_ACCURACY } from "../../src/simulation/demoOptions.ts";
import { assertPromises, demoRun } from "./demoRun.ts";

/** Other shards, initial models, keys and batches than the demo's own. */
const SEEDS = ["first", "second", "third", "fourth", "fifth"];

describe("the demo with other seeds", () => {
  for (const seed of SEEDS) {
    it(`"${seed}": learns, and keeps the attacker in no round that has everybody's update`, async (t) => {
      const outcome = await demoRun(t, { seed });
      assertPromises(outcome);
      const { report } = outcome;
      const accuracy = report.rounds.findLast(({ closing }) => !closing)?.accuracy ?? 0;
      assert.ok(accuracy >= DEMO_ACCURACY.atLeast, `accuracy ${accuracy}`);
      const attacker = report.members.at(-1);
      const keptIn: number[] = [];
      for (const { round, closing, updates } of report.rounds) {
        if (closing || round < 4) continue;
        const kept = updates.find(({ memberId }) => memberId === attacker?.id)?.outcome !== "not kept";
        if (kept) keptIn.push(round);
        const complete = updates.every(({ outcome }) => outcome !== "refused");
        assert.ok(!(kept && complete), `round ${round}`);
      }
      // Among four updates (rounds 6 and 7 refuse one) the filter may fail: docs/threat-model.md.
      t.diagnostic(`accuracy ${accuracy.toFixed(4)}; attacker kept in rounds [${keptIn}]`);
    });
  }
});
