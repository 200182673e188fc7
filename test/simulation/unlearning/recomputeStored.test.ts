// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { referenceKernels } from "../../../src/aggregation/reference/referenceKernels.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { LearningError } from "../../../src/learning/errors.ts";
import { assemble, type Federation } from "../../../src/simulation/laboratory/federation.ts";
import { eraseStored } from "../../../src/simulation/unlearning/recomputeStored.ts";
import { RunFolder } from "../../../src/simulation/unlearning/runFolder.ts";
import { playStored, type StoredRun } from "../../../src/simulation/unlearning/storedRun.ts";
import { federationOf } from "./cell.ts";

const engine = await createOnnxNodeEngine({ threads: 1 });
const root = await mkdtemp(join(tmpdir(), "foedus-eraser-"));
after(async () => {
  await engine.dispose();
  await rm(root, { recursive: true, force: true });
});
const surroundings = { engine, kernels: referenceKernels, dataRoot: "unused" };

/** A federation of three rounds that was run, and what makes it anew without members. */
async function recorded(name: string, recipe: object) {
  const config = federationOf({ rounds: 3, ...recipe });
  const without = (...gone: number[]): Promise<Federation> => assemble(config, 7, { ...surroundings, without: gone });
  const run = await playStored({
    assemble: () => without(),
    layout: (await without()).layout,
    rounds: config.rounds,
    folder: await RunFolder.open(join(root, name), { identity: name, code: "here", without: [] }),
    every: 5,
    keepUploads: true,
    kernels: referenceKernels,
  });
  return { run, without };
}
const { run, without } = await recorded("run", {});
const everyRound = { keepEvery: 1, effort: 0.5 };

describe("FedEraser over a stored run", () => {
  it("takes a member whose calibration diverges for one without direction", async () => {
    const federation = await without(2);
    const [first] = federation.members;
    if (first === undefined) throw new Error("nobody is left");
    const algorithm = Object.create(first.algorithm, {
      train: {
        value: async () => {
          throw new LearningError("DIVERGED", "the loss is no number");
        },
      },
    });
    Object.assign(first, { algorithm });
    const { state, clientRounds } = await eraseStored(run, 2, federation, everyRound);
    assert.ok(state.every(Number.isFinite));
    // Rounds 2 and 3, five others, half the work.
    assert.equal(clientRounds, 5);
    assert.notDeepEqual(state, (await eraseStored(run, 2, await without(2), everyRound)).state);
  });

  it("leaves failed rounds out: their uploads never moved the model", async () => {
    const failing = (...failed: number[]): StoredRun => ({
      ...run,
      rounds: run.rounds.map((one) => (failed.includes(one.round) ? { ...one, failed: "TOO_FEW_UPDATES" } : one)),
    });
    assert.equal((await eraseStored(failing(3), 2, await without(2), everyRound)).clientRounds, 2.5);
    // Then round 2 is the first that did, from the initial model.
    assert.equal((await eraseStored(failing(1), 2, await without(2), everyRound)).clientRounds, 2.5);
    const none = await eraseStored(failing(1, 2, 3), 2, await without(2), everyRound);
    assert.deepEqual(none.state, run.heads[0]?.state.slice(0, none.state.length));
  });

  it("moves the adapters that members train, and no other tensor", async () => {
    const model = { kind: "mlp", hidden: [6], activation: "relu", adapters: { width: 2 } };
    const adapted = await recorded("adapters", { model, client: { name: "adapters" } });
    const federation = await adapted.without(2);
    const { state } = await eraseStored(adapted.run, 2, federation, everyRound);
    const start = adapted.run.heads[0]?.state as Float32Array;
    for (const { name, offset, size, adapter } of federation.model.layout) {
      const same = state.subarray(offset, offset + size).every((value, j) => value === start[offset + j]);
      assert.equal(same, adapter !== true, name);
    }
  });
});
