// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { Detection } from "../../../src/simulation/laboratory/detection.ts";
import type { Member } from "../../../src/simulation/laboratory/federation.ts";

const invited = [1, 2, 3, 4, 5].map((id) => ({ id }) as Member);

test("who is left out is accused; who sent nothing, or attacks at another time, is not counted", () => {
  const detection = new Detection(new Set([1, 2]));
  // 1 attacks and is caught; 2 waits; 3 is accused though honest; 4 diverged and sent nothing; 5 is kept.
  detection.add(roundOf({ kept: [2, 5], attacked: [1], diverged: [4] }));
  assert.deepEqual(detection.result(), { detectionRecall: 1, detectionFalsePositives: 1 / 2 });
  // 1 and 2 attack and pass; all the honest are kept.
  detection.add(roundOf({ kept: [1, 2, 3, 4, 5], attacked: [1, 2], diverged: [] }));
  assert.deepEqual(detection.result(), { detectionRecall: 1 / 3, detectionFalsePositives: 1 / 5 });
  // An attacker that waits and is left out all the same was neither caught nor falsely accused.
  detection.add(roundOf({ kept: [3, 4, 5], attacked: [], diverged: [] }));
  assert.deepEqual(detection.result(), { detectionRecall: 1 / 3, detectionFalsePositives: 1 / 8 });
});

test("nothing is said where nobody attacks", () => {
  const honest = new Detection(undefined);
  honest.add(roundOf({ kept: [1], attacked: [], diverged: [] }));
  assert.deepEqual(honest.result(), { detectionRecall: null, detectionFalsePositives: null });
  const waiting = new Detection(new Set([1]));
  waiting.add(roundOf({ kept: [1, 2, 3, 4, 5], attacked: [], diverged: [] }));
  assert.deepEqual(waiting.result(), { detectionRecall: null, detectionFalsePositives: 0 });
});

function roundOf({ kept, attacked, diverged }: Readonly<Record<"kept" | "attacked" | "diverged", readonly number[]>>) {
  return {
    round: 1,
    invited,
    kept,
    refused: [],
    diverged: new Set(diverged),
    attacked: new Set(attacked),
    trainingSeconds: 0,
  };
}
