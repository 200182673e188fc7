// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { referenceKernels } from "../../../src/aggregation/reference/referenceKernels.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { unlearning, unlearningSchema } from "../../../src/simulation/studies/unlearning.ts";

const engine = await createOnnxNodeEngine({ threads: 1 });
after(() => engine.dispose());
const surroundings = { engine, kernels: referenceKernels, dataRoot: "unused" };
const options = unlearningSchema.parse({
  name: "unlearning",
  rounds: 4,
  cohort: 5,
  hidden: 16,
  training: { localEpochs: 1 },
});

describe("forgetting a member of a trained model", () => {
  it("by replay is exact, though its first round was not the run's first; by other means it is not", async () => {
    const figures = await unlearning({ ...options, member: 2 }, 1, surroundings);
    assert.deepEqual([figures["replayExact"], figures["replayDistance"]], [1, 0]);
    assert.equal(figures["replayRounds"], 2);
    // Its group's half of all rounds; the group's model is another one, as good as never trained with it.
    assert.deepEqual([figures["shardedExact"], figures["shardedDistance"]], [1, 0]);
    assert.ok((figures["shardedCost"] as number) <= 1 / 2);
    for (const name of ["recomputeDistance", "eraserDistance", "distanceBefore"])
      assert.ok((figures[name] as number) > 0 && (figures[name] as number) < 1, `${name}: ${figures[name]}`);
    for (const [name, value] of Object.entries(figures)) assert.ok(Number.isFinite(value), name);
  });

  it("gives the same figures for the same seed, and others for another", async () => {
    const figures = await unlearning(options, 2, surroundings);
    assert.deepEqual(await unlearning(options, 2, surroundings), figures);
    assert.notDeepEqual(await unlearning(options, 3, surroundings), figures);
  });
});
