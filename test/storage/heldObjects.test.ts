// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BlockKey, blockKeyOf } from "../../src/storage/contentId.ts";
import { HeldObjects } from "../../src/storage/heldObjects.ts";
import { importContent } from "../../src/storage/importContent.ts";
import { MemoryShelf } from "../../src/storage/memoryShelf.ts";
import { MIB, rejectsWith, sampleBytes } from "./support.ts";

/** Takes its time, so that operations which are not kept in order overtake each other. */
class SlowShelf extends MemoryShelf {
  override async deleteBlock(key: BlockKey): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 10));
    await super.deleteBlock(key);
  }
}

async function put(held: HeldObjects, bytes: Uint8Array) {
  const lease = held.lease();
  try {
    const cid = await importContent(bytes, (block, data) => lease.put(blockKeyOf(block), data));
    await lease.record(cid, bytes.length);
    return cid;
  } finally {
    await lease.end();
  }
}

describe("heldObjects", () => {
  it("does not delete a block that is put again while it is being deleted", async () => {
    const shelf = new SlowShelf();
    const held = await HeldObjects.open(shelf, () => {});
    const bytes = sampleBytes(100);
    const cid = await put(held, bytes);
    const reclaiming = held.reclaim();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await put(held, bytes), cid);
    await reclaiming;
    assert.equal(held.has(cid), true);
    assert.equal((await shelf.blockKeys()).length, 2);
  });

  it("keeps every block for as long as one lease or object needs it", async () => {
    const shelf = new MemoryShelf();
    const held = await HeldObjects.open(shelf, () => {});
    const bytes = sampleBytes(50);
    const cid = await put(held, bytes);
    const keys = await shelf.blockKeys();
    const reader = held.lease();
    for (const key of keys) assert.ok(await reader.get(key));
    assert.deepEqual(await held.reclaim(), { objects: 1, bytes: 50 });
    assert.equal(held.has(cid), false);
    assert.equal((await shelf.blockKeys()).length, keys.length);
    await reader.end();
    await reader.end();
    assert.deepEqual(await shelf.blockKeys(), []);
  });

  it("lets no straggler write under a lease that has ended", async () => {
    const shelf = new MemoryShelf();
    const held = await HeldObjects.open(shelf, () => {});
    const lease = held.lease();
    await lease.end();
    await assert.rejects(lease.put("00" as BlockKey, sampleBytes(1)), /has ended/);
    await assert.rejects(lease.get("00" as BlockKey), /has ended/);
    assert.deepEqual(await shelf.blockKeys(), []);
  });

  it("shows in the served view exactly the blocks of served objects", async () => {
    const shelf = new MemoryShelf();
    const held = await HeldObjects.open(shelf, () => {});
    const shared = sampleBytes(MIB);
    const [hidden, open] = [
      await put(held, new Uint8Array([...shared, 1])),
      await put(held, new Uint8Array([...shared, 2])),
    ];
    const visible = async (): Promise<number> =>
      (await shelf.blockKeys()).filter((key) => held.servedBlocks.has(key)).length;
    assert.equal(await visible(), 0);
    const keys = await held.serve(open);
    assert.equal(keys.length, 3);
    assert.equal(await visible(), 3);
    assert.equal(held.serves(hidden), false);
    for (const key of await shelf.blockKeys()) {
      assert.equal((await held.servedBlocks.get(key)) !== undefined, keys.includes(key));
    }
  });

  it("gives up objects whose record, root or leaf does not fit, and tells", async () => {
    const shelf = new MemoryShelf();
    const first = await HeldObjects.open(shelf, () => {});
    const cids = [];
    for (const seed of [1, 2, 3, 4]) cids.push(await put(first, sampleBytes(40, seed)));
    const [whole, wrongLength, noRoot, noLeaf] = cids as [
      (typeof cids)[0],
      (typeof cids)[0],
      (typeof cids)[0],
      (typeof cids)[0],
    ];
    await shelf.putRecord(wrongLength!, { bytes: 41, served: true, pinned: true });
    const blocksOf = async (bytes: Uint8Array): Promise<BlockKey[]> => {
      const keys: BlockKey[] = [];
      await importContent(bytes, async (block) => void keys.push(blockKeyOf(block)));
      return keys;
    };
    await shelf.deleteBlock((await blocksOf(sampleBytes(40, 3)))[1]!);
    await shelf.deleteBlock((await blocksOf(sampleBytes(40, 4)))[0]!);
    const lost: string[] = [];
    const second = await HeldObjects.open(shelf, (cid) => lost.push(cid));
    assert.deepEqual(lost, [wrongLength, noRoot, noLeaf]);
    assert.deepEqual(
      cids.map((cid) => second.has(cid)),
      [true, false, false, false],
    );
    await rejectsWith(second.serve(wrongLength!), "CONTENT_NOT_FOUND");
    await second.setPinned(whole!, true);
    await second.reclaim();
    assert.equal((await shelf.blockKeys()).length, 2);
  });
});
