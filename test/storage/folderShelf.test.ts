// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { ContentId } from "../../src/protocol/contentStore.ts";
import type { BlockKey } from "../../src/storage/contentId.ts";
import { FolderShelf } from "../../src/storage/folderShelf.ts";
import { HeldObjects } from "../../src/storage/heldObjects.ts";
import { nameOf } from "../../src/storage/importContent.ts";
import { sampleBytes, temporaryFolder, until } from "./support.ts";

const BYTES = sampleBytes(1000);
const KEY = createHash("sha256").update(BYTES).digest("hex") as BlockKey;

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe("folderShelf", () => {
  it("finds blocks and records again when it is opened again", async (t) => {
    const folder = await temporaryFolder(t);
    const cid = await nameOf(BYTES);
    const first = await FolderShelf.open(folder);
    await first.putBlock(KEY, BYTES);
    await first.putBlock(KEY, BYTES);
    await first.putRecord(cid, { bytes: 1000, served: false, pinned: false });
    await first.putRecord(cid, { bytes: 1000, served: true, pinned: false });
    const second = await FolderShelf.open(folder);
    assert.deepEqual(new Uint8Array((await second.getBlock(KEY))!), BYTES);
    assert.deepEqual(await second.blockKeys(), [KEY]);
    assert.deepEqual([...(await second.records())], [[cid, { bytes: 1000, served: true, pinned: false }]]);
    await second.deleteBlock(KEY);
    await second.deleteBlock(KEY);
    await second.deleteRecord(cid);
    assert.deepEqual(await filesIn(folder), []);
  });

  it("counts a damaged block as absent and lets it be put again", async (t) => {
    const folder = await temporaryFolder(t);
    const shelf = await FolderShelf.open(folder);
    await shelf.putBlock(KEY, BYTES);
    const path = join(folder, "blocks", KEY.slice(0, 2), KEY);
    for (const damage of [BYTES.subarray(0, 999), new Uint8Array(), Uint8Array.of(...BYTES.subarray(0, 999), 0)]) {
      await writeFile(path, damage);
      assert.equal(await shelf.getBlock(KEY), undefined);
      await shelf.putBlock(KEY, BYTES);
      assert.ok(await shelf.getBlock(KEY));
    }
  });

  it("removes half-written files, and keeps others' files out of its keys", async (t) => {
    const folder = await temporaryFolder(t);
    const shelf = await FolderShelf.open(folder);
    await shelf.putBlock(KEY, BYTES);
    await writeFile(join(folder, "blocks", KEY.slice(0, 2), `${KEY}.1.part`), "half");
    await writeFile(join(folder, "blocks", "notes.txt"), "an operator's");
    const again = await FolderShelf.open(folder);
    assert.deepEqual((await filesIn(folder)).sort(), [KEY, "notes.txt"].sort());
    assert.deepEqual(await again.blockKeys(), [KEY]);
  });

  it("STORE_CONFIG_INVALID: a record that is none, a folder that is a file", async (t) => {
    const folder = await temporaryFolder(t);
    const shelf = await FolderShelf.open(folder);
    const path = join(folder, "objects", await nameOf(BYTES));
    for (const text of ["", "{}", '{"bytes":-1,"served":true,"pinned":true}', '{"bytes":1,"served":1,"pinned":true}']) {
      await writeFile(path, text);
      await assert.rejects(shelf.records(), { code: "STORE_CONFIG_INVALID", values: { path } });
    }
    await rm(path);
    await writeFile(join(folder, "file"), "");
    await assert.rejects(FolderShelf.open(join(folder, "file")), { code: "STORE_CONFIG_INVALID" });
  });

  it("survives being killed in the middle of puts: every object is whole or absent", { timeout: 20_000 }, async (t) => {
    const folder = await temporaryFolder(t);
    const program = `
      import { openHeliaStore } from ${JSON.stringify(new URL("../../src/storage/heliaStore.ts", import.meta.url).href)};
      import { sampleBytes } from ${JSON.stringify(new URL("./support.ts", import.meta.url).href)};
      const store = await openHeliaStore({ folder: ${JSON.stringify(folder)}, listen: [] });
      for (let i = 1; ; i++) {
        const cid = await store.put(sampleBytes(2_200_000, i));
        await store.pin(cid);
        process.stdout.write(cid + "\\n");
      }`;
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
    await until(() => printed.split("\n").length > 4, "four objects put", 15_000);
    child.kill("SIGKILL");
    await once(child, "close");
    const promised = printed.split("\n").slice(0, -1) as ContentId[];
    const lost: ContentId[] = [];
    const held = await HeldObjects.open(await FolderShelf.open(folder), (cid) => lost.push(cid));
    assert.deepEqual(lost, []);
    assert.ok(promised.length >= 4);
    for (const cid of promised) assert.ok(held.has(cid), `${cid} was promised`);
    const before = (await filesIn(join(folder, "blocks"))).length;
    await held.reclaim();
    const after = (await filesIn(join(folder, "blocks"))).length;
    const objects = (await filesIn(join(folder, "objects"))).length;
    // Three leaves and a root each; whatever else there was came from the put that was interrupted.
    assert.equal(after, objects * 4);
    assert.ok(before - after < 4);
  });
});
