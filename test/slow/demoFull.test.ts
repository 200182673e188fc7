// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DemoOutcome } from "../../src/simulation/demo.ts";
import { assertPromises, demoRun } from "./demoRun.ts";

/** What the script of the demo leads to, whoever hosts the participants and however fast they are. */
function outcomeOf({ report }: DemoOutcome) {
  return report.rounds.map(({ round, closing, outcome, modelRoot, accuracy, reportedLoss, updates }) => ({
    round,
    closing,
    outcome,
    modelRoot,
    accuracy,
    reportedLoss,
    updates: updates.map(({ memberId, outcome: fate, refusal, samples }) => ({
      memberId,
      outcome: fate,
      refused: refusal?.code,
      samples,
    })),
  }));
}

describe("the demo of ten rounds", () => {
  let inProcess: DemoOutcome | undefined;

  it("keeps its promises in one process", async (t) => {
    inProcess = await demoRun(t, {});
    assertPromises(inProcess);
    // Fifteen in all: a promise that is no longer asked for is no promise kept.
    assert.equal(inProcess.expectations.length, 15);
  });

  it("keeps them as one process for each participant, with the same models bit for bit", async (t) => {
    const asProcesses = await demoRun(t, { processes: true });
    assertPromises(asProcesses);
    assert.equal(asProcesses.expectations.length, 15);
    // Shards, keys and batches follow from the seed, training on one machine repeats exactly, and aggregation is exact everywhere.
    assert.ok(inProcess !== undefined, "the run in one process came first");
    assert.deepEqual(outcomeOf(asProcesses), outcomeOf(inProcess));
  });
});
