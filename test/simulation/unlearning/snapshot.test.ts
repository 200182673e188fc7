// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { referenceKernels } from "../../../src/aggregation/reference/referenceKernels.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { assemble, type Federation } from "../../../src/simulation/laboratory/federation.ts";
import { simulateRound } from "../../../src/simulation/laboratory/simulateRound.ts";
import { RunFolder } from "../../../src/simulation/unlearning/runFolder.ts";
import { digestOf, restore, snapshotOf } from "../../../src/simulation/unlearning/snapshot.ts";
import { federationOf } from "./cell.ts";

const engine = await createOnnxNodeEngine({ threads: 1 });
const root = await mkdtemp(join(tmpdir(), "foedus-snapshot-"));
after(async () => {
  await engine.dispose();
  await rm(root, { recursive: true, force: true });
});

describe("a snapshot on disk", () => {
  it("has what compressed downlinks depend on: a run that goes on from it sends every member the same bytes", async () => {
    const config = federationOf({
      participation: 0.5,
      rounds: 8,
      update: { downlink: { name: "topk-int16", blockSize: 16, keep: 12, history: 3 } },
    });
    const begin = () => assemble(config, 1, { engine, dataRoot: "unused" });
    const rounds = async (federation: Federation, from: number, to: number) => {
      const seen = [];
      for (let round = from; round <= to; round++) {
        const { delivered } = await simulateRound(federation, round, referenceKernels);
        const sent = Array.from(delivered ?? [], ([id, { kind, bytes }]) => [id, kind, bytes]);
        seen.push({ sent, head: digestOf(federation.master) });
      }
      return seen;
    };
    const federation = await begin();
    await rounds(federation, 1, 4);
    const folder = await RunFolder.open(join(root, "run"), { identity: "configuration", code: "sources", without: [] });
    const snapshot = snapshotOf(federation, 4);
    await folder.writeSnapshot(snapshot);
    const read = await folder.snapshot(4);
    assert.deepEqual(read, snapshot);
    assert.equal(read.shared.downlink?.history.kept.length, 3);
    const again = await begin();
    restore(again, read);
    assert.deepEqual(await rounds(again, 5, 8), await rounds(federation, 5, 8));
  });
});
