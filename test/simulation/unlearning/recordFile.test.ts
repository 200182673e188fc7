// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { readRecord, writeRecord } from "../../../src/simulation/unlearning/recordFile.ts";

const folder = await mkdtemp(join(tmpdir(), "foedus-record-"));
after(() => rm(folder, { recursive: true, force: true }));
const path = join(folder, "record");
const record = {
  body: { round: 3, name: "ä" },
  tensors: {
    odd: Float32Array.of(1.5, -0, Number.NaN),
    wide: Float64Array.of(Number.MIN_VALUE, 2 ** 52 + 1),
    whole: Int32Array.of(-7, 2 ** 31 - 1, 0),
    bytes: Uint8Array.of(255, 0, 7),
    none: new Float64Array(0),
  },
};

describe("a record of a stored run", () => {
  it("gives back every bit", async () => {
    await writeRecord(path, "round", "run 1", record);
    const { body, tensors } = await readRecord(path, "round", "run 1");
    assert.deepEqual(body, record.body);
    assert.deepEqual(tensors, record.tensors);
    assert.ok(Object.is(tensors["odd"]?.[1], -0));
  });

  it("takes tensors that are a part of something longer", async () => {
    await writeRecord(path, "round", "run 1", {
      body: null,
      tensors: { part: Float32Array.of(1, 2, 3, 4).subarray(1, 3) },
    });
    assert.deepEqual((await readRecord(path, "round", "run 1")).tensors, { part: Float32Array.of(2, 3) });
  });

  it("is refused by name when any byte of it has changed, or some are missing", async () => {
    await writeRecord(path, "round", "run 1", record);
    const bytes = await readFile(path);
    const damaged = { code: "SNAPSHOT_DAMAGED", values: { path } };
    for (let at = 0; at < bytes.length; at++) {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] as number) ^ 1;
      await writeFile(path, copy);
      await assert.rejects(readRecord(path, "round", "run 1"), damaged, `byte ${at}`);
    }
    for (const length of [0, 10, bytes.length - 1]) {
      await writeFile(path, bytes.subarray(0, length));
      await assert.rejects(readRecord(path, "round", "run 1"), damaged, `${length} bytes`);
    }
    await assert.rejects(readRecord(join(folder, "absent"), "round", "run 1"), { code: "SNAPSHOT_DAMAGED" });
  });

  it("is refused as another run's, or as another kind's", async () => {
    await writeRecord(path, "round", "run 1", record);
    await assert.rejects(readRecord(path, "round", "run 2"), { code: "SNAPSHOT_FOREIGN" });
    await assert.rejects(readRecord(path, "snapshot", "run 1"), { code: "SNAPSHOT_FOREIGN" });
  });
});
