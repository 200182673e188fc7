// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, it } from "node:test";
import { dataSchema, partitionSchema } from "../../src/data/dataConfig.ts";
import { DataFolder } from "../../src/data/dataFolder.ts";
import { DATA_SETS, GENERATORS } from "../../src/data/datasets.ts";
import { folderOf } from "./support/files.ts";
import { load } from "./support/load.ts";

const refuses = (section: unknown): void =>
  assert.equal(dataSchema.safeParse(section).success, false, JSON.stringify(section));

describe("the data section", () => {
  it("every row of the tables is a name that the schema knows, alone sufficient", () => {
    for (const [name, { schema }] of Object.entries({ ...DATA_SETS, ...GENERATORS })) {
      assert.equal(dataSchema.parse({ name }).name, name);
      assert.equal(schema.parse({ name }).name, name);
    }
  });

  it("every data set says where its files lie, their digests, licence and source", () => {
    for (const [name, { folder, files, licence, citation }] of Object.entries(DATA_SETS)) {
      assert.match(folder, /^[a-z0-9_]+$/);
      assert.ok(licence.length > 2 && citation.length > 10);
      // LEAF draws FEMNIST's files anew for everybody.
      assert.equal(Object.keys(files).length === 0, name === "femnist");
      for (const digest of Object.values(files)) assert.match(digest, /^[0-9a-f]{64}$/);
    }
  });

  it("refuses unknown names, unknown options and values out of bounds", () => {
    for (const section of [
      { name: "imagenet" },
      { name: "mnist", colour: true },
      { name: "mnist", samples: 0 },
      { name: "mnist", size: 20 },
      { name: "iris", testShare: 1 },
      { name: "ag-news", vocabulary: 2 },
      { name: "s-mix", s: -1 },
      { name: "s-mix", samples: 1.5 },
      { name: "s-lin", clients: 0 },
      { name: "csv", train: "a", inputs: 1, classes: 2, scale: 0 },
    ])
      refuses(section);
    for (const section of [
      { kind: "dirichlet" },
      { kind: "dirichlet", alpha: 0 },
      { kind: "even" },
      { kind: "iid", alpha: 1 },
    ])
      assert.equal(partitionSchema.safeParse(section).success, false, JSON.stringify(section));
  });
});

describe("files", () => {
  it("MISSING_FILE: the path that was tried and how to pass another", async () => {
    const root = await folderOf({});
    await assert.rejects(load({ name: "wine" }, root), (error: Error & { code: string }) => {
      assert.equal(error.code, "MISSING_FILE");
      assert.ok(error.message.includes(join(root, "sklearn_small", "wine_data.csv")), error.message);
      assert.match(error.message, /--data DIR/);
      return true;
    });
    // A set's own folder is relative to the data folder.
    await assert.rejects(load({ name: "wine", path: "elsewhere" }, root), { message: /elsewhere.wine_data\.csv/ });
  });

  it("WRONG_DIGEST: names both digests; verify: false takes the file as it is", async () => {
    const content = "150,4,setosa,versicolor,virginica\n";
    const path = await folderOf({ "iris.csv": content });
    const found = createHash("sha256").update(content).digest("hex");
    await assert.rejects(load({ name: "iris", path }), (error: Error & { code: string }) => {
      assert.equal(error.code, "WRONG_DIGEST");
      assert.ok(
        error.message.includes(found) && error.message.includes(DATA_SETS.iris.files["iris.csv"] as string),
        error.message,
      );
      return true;
    });
    await assert.rejects(load({ name: "iris", path, verify: false }), { code: "BAD_ROW" });
  });

  it("the right digest is accepted; the plain file stands in for the gzipped one only when nothing is verified", async () => {
    const path = await folderOf({ "a.gz": "text", b: "plain" });
    const digests = { "a.gz": createHash("sha256").update("text").digest("hex"), "b.gz": "00" };
    assert.equal(await new DataFolder(path, digests, true).readText("a.gz"), "text");
    assert.equal(await new DataFolder(path, digests, false).readText("b.gz"), "plain");
    await assert.rejects(new DataFolder(path, digests, true).readText("b.gz"), { code: "MISSING_FILE" });
  });
});

describe("choice of samples", () => {
  const lines = Array.from({ length: 50 }, (_, i) => `${i},${i % 2}`).join("\n");

  it("uniform, in order, keyed by the seed; more than there are is refused", async () => {
    const path = await folderOf({ "a.csv": lines, "b.csv": lines });
    const section = {
      name: "csv",
      path,
      train: "a.csv",
      test: "b.csv",
      inputs: 1,
      classes: 2,
      samples: 10,
      testSamples: 5,
    } as const;
    const data = await load(section);
    assert.deepEqual([data.train.size, data.test.size], [10, 5]);
    const chosen = [...data.train.features];
    assert.deepEqual(
      chosen,
      chosen.toSorted((a, b) => a - b),
    );
    assert.equal(new Set(chosen).size, 10);
    for (const [i, value] of chosen.entries()) assert.equal(data.train.labels[i], value % 2);
    assert.deepEqual(await load(section), data);
    assert.notDeepEqual(await load(section, ".", "another"), data);
    await assert.rejects(load({ ...section, samples: 51 }), { code: "CANNOT_DEAL", message: /50 training samples/ });
  });

  it("a kept sample's features and clients do not depend on how many are kept", async () => {
    const rows = Array.from({ length: 12 }, (_, i) => `${40 + i},1,4,140,${200 + i},0,0,150,0,2,1,0,3,${i % 2}`).join(
      "\n",
    );
    const hospitals = ["cleveland", "hungarian", "switzerland", "va"];
    const path = await folderOf(Object.fromEntries(hospitals.map((name) => [`processed.${name}.data`, rows])));
    const all = await load({ name: "heart-disease", path, verify: false });
    const some = await load({ name: "heart-disease", path, verify: false, samples: 6 });
    const rowsOf = ({ train, clients }: typeof all): string[] =>
      Array.from({ length: train.size }, (_, i) => `${clients?.[i]}: ${train.features.subarray(32 * i, 32 * i + 32)}`);
    assert.equal(some.clients?.length, 6);
    for (const row of rowsOf(some)) assert.ok(rowsOf(all).includes(row));
  });
});
