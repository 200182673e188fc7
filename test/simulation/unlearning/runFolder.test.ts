// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { RunFolder } from "../../../src/simulation/unlearning/runFolder.ts";

const root = await mkdtemp(join(tmpdir(), "foedus-run-folder-"));
after(() => rm(root, { recursive: true, force: true }));

const facts = { round: 1, head: "0x", trained: [1], accepted: [1], refused: [], failed: null, spent: null };

describe("a run's folder", () => {
  it("refuses a record that other sources, another configuration or other members made", async () => {
    const here = { identity: "configuration", code: "sources", without: [] };
    const folder = await RunFolder.open(join(root, "here"), here);
    await folder.writeRound(facts, Float64Array.of(1), []);
    const written = join(folder.path, "round-00001");
    for (const other of [{ code: "others" }, { identity: "other" }, { without: [2] }]) {
      const path = join(root, JSON.stringify(other));
      const foreign = await RunFolder.open(path, { ...here, ...other });
      await copyFile(written, join(path, "round-00001"));
      await assert.rejects(foreign.round(1), { code: "SNAPSHOT_FOREIGN" });
    }
    const again = await RunFolder.open(join(root, "copy"), here);
    await copyFile(written, join(again.path, "round-00001"));
    assert.deepEqual((await again.round(1)).master, Float64Array.of(1));
  });
});
