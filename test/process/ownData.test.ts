// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { encodeDataset } from "../../src/data/encodeDataset.ts";
import { loadOwnData } from "../../src/process/ownData.ts";
import { ConfigError } from "../../src/protocol/errors.ts";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";
import { temporaryFolder } from "../cli/support.ts";

const MODEL: ModelConfig = { kind: "logistic", inputs: 2, classes: 3 };

describe("a participant's own data", () => {
  it("is the same from CSV and from the canonical file", async (t) => {
    const folder = await temporaryFolder(t);
    const csv = join(folder, "own.csv");
    await writeFile(csv, "2,4,0\n6,8,2\n");
    const data = await loadOwnData(
      { kind: "csv", file: csv, inputs: 2, classes: 3, scale: 0.5, header: false },
      MODEL,
      "heldOut",
    );
    assert.deepEqual([...data.features], [1, 2, 3, 4]);
    assert.deepEqual([...data.labels], [0, 2]);
    const file = join(folder, "own.fds");
    await writeFile(file, encodeDataset(data));
    assert.deepEqual(await loadOwnData({ kind: "dataset", file }, MODEL, "heldOut"), data);
  });

  it("of another shape than the run's model names the field to correct", async (t) => {
    const file = join(await temporaryFolder(t), "own.csv");
    await writeFile(file, "1,0\n");
    await assert.rejects(
      loadOwnData({ kind: "csv", file, inputs: 1, classes: 2, scale: 1, header: false }, MODEL, "heldOut"),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, /1 features and 2 classes; the run's model takes 2 and 3\. Correct "heldOut"/);
        return true;
      },
    );
  });
});
