// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertPromises, demoRun } from "./demoRun.ts";

describe("a larger demo", () => {
  it("runs nine nodes and seven validators, with the circuit for 32", async (t) => {
    const outcome = await demoRun(t, { nodes: 9, validators: 7, rounds: 2 });
    assertPromises(outcome);
    const { report } = outcome;
    assert.equal(report.members.length, 9);
    assert.equal(report.validators.length, 7);
    for (const { round, outcome: fate, updates, validators } of report.rounds) {
      assert.equal(fate, "finalised", `round ${round}`);
      // More than the circuit for 8 takes.
      assert.equal(updates.length, 9, `updates of round ${round}`);
      // f = 2: a quorum is 5 of 7.
      assert.ok(validators.filter(({ agreed }) => agreed).length >= 5, `seals of round ${round}`);
    }
  });
});
