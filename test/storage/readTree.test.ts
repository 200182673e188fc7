// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { encode, prepare } from "@ipld/dag-pb";
import fc from "fast-check";
import { UnixFS } from "ipfs-unixfs";
import { CID } from "multiformats/cid";
import * as Digest from "multiformats/hashes/digest";
import type { ContentId } from "../../src/protocol/contentStore.ts";
import { DAG_PB, RAW } from "../../src/storage/contentId.ts";
import { importContent } from "../../src/storage/importContent.ts";
import { listTree, readTree } from "../../src/storage/readTree.ts";
import { verifyContent } from "../../src/storage/verifyContent.ts";
import { rejectsWith, sampleBytes } from "./support.ts";

const SMALL = { chunkBytes: 4, width: 3 };

/** Blocks by name, and how often each was asked for. */
class Blocks {
  readonly blocks = new Map<string, Uint8Array>();
  asked = 0;

  add(codec: number, bytes: Uint8Array): CID {
    const cid = CID.createV1(codec, Digest.create(0x12, createHash("sha256").update(bytes).digest()));
    this.blocks.set(cid.toString(), bytes);
    return cid;
  }

  leaf(length: number, fill = 7): CID {
    return this.add(RAW, new Uint8Array(length).fill(fill));
  }

  file(
    blockSizes: readonly number[],
    links: readonly CID[],
    overrides: { type?: "directory" | "raw"; data?: Uint8Array } = {},
  ): CID {
    const file = new UnixFS({ type: "file", ...overrides, blockSizes: blockSizes.map(BigInt) });
    return this.add(
      DAG_PB,
      encode(prepare({ Data: file.marshal(), Links: links.map((Hash) => ({ Hash, Tsize: 1, Name: "" })) })),
    );
  }

  readonly of = async (cid: CID): Promise<Uint8Array> => {
    this.asked++;
    const block = this.blocks.get(cid.toString());
    assert.ok(block, `${cid} was asked for`);
    return block;
  };

  async read(root: CID, maxBytes = 1000): Promise<Uint8Array> {
    const cid = root.toString() as ContentId;
    const parts: Uint8Array[] = [];
    for await (const chunk of verifyContent(cid, readTree(cid, this.of, maxBytes, SMALL), maxBytes, SMALL))
      parts.push(chunk);
    return new Uint8Array(Buffer.concat(parts));
  }
}

describe("readTree", () => {
  it("reads back what importContent wrote, and lists its blocks", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const blocks = new Blocks();
        const cid = await importContent(
          bytes,
          async (block, data) => {
            blocks.blocks.set(block.toString(), new Uint8Array(data));
          },
          SMALL,
        );
        assert.deepEqual(await blocks.read(CID.parse(cid)), bytes);
        const tree = await listTree(cid, blocks.of, SMALL);
        assert.equal(tree.bytes, bytes.length);
        assert.deepEqual(new Set(tree.cids.map(String)), new Set(blocks.blocks.keys()));
      }),
      { seed: 5, numRuns: 100 },
    );
  });

  it("CONTENT_TOO_LARGE after the root alone, by what the root declares", async () => {
    const blocks = new Blocks();
    const cid = await importContent(
      sampleBytes(8),
      async (block, data) => {
        blocks.blocks.set(block.toString(), new Uint8Array(data));
      },
      SMALL,
    );
    const root = CID.parse(cid);
    await rejectsWith(blocks.read(root, 7), "CONTENT_TOO_LARGE", { maxBytes: 7, atLeastBytes: 8 });
    assert.equal(blocks.asked, 1);
    assert.equal((await blocks.read(root, 8)).length, 8);
  });

  const hostile: Record<string, (blocks: Blocks) => CID> = {
    "leaf longer than declared": (b) => b.file([4], [b.leaf(5)]),
    "leaf shorter than declared": (b) => b.file([4], [b.leaf(3)]),
    "more children than the length needs": (b) => b.file([4, 0, 0], [b.leaf(4, 1), b.leaf(4, 2), b.leaf(4, 3)]),
    "fewer children than the length needs": (b) => b.file([8], [b.leaf(8)]),
    "chunks of another size": (b) => b.file([2, 2], [b.leaf(2, 1), b.leaf(2, 2)]),
    "a node where a leaf belongs": (b) => b.file([4], [b.file([4], [b.leaf(4)])]),
    "a leaf where a node belongs": (b) => b.file([12, 4], [b.leaf(12), b.leaf(4)]),
    "inner node that declares another length": (b) =>
      b.file([12, 4], [b.file([4, 4], [b.leaf(4), b.leaf(4)]), b.file([4], [b.leaf(4)])]),
    "bytes in a node": (b) => b.file([], [], { data: new Uint8Array(4) }),
    directory: (b) => b.file([], [], { type: "directory" }),
    "raw UnixFS node": (b) => b.file([4], [b.leaf(4)], { type: "raw" }),
    "node without UnixFS": (b) => b.add(DAG_PB, encode(prepare({ Links: [] }))),
    "node that is not dag-pb": (b) => b.add(DAG_PB, Uint8Array.of(1, 2, 3)),
    "node whose data is not UnixFS": (b) => b.add(DAG_PB, encode(prepare({ Data: Uint8Array.of(0xff), Links: [] }))),
    "link of another hash": (b) => b.file([4], [CID.createV1(RAW, Digest.create(0x00, new Uint8Array(4)))]),
    "link of CIDv0": (b) =>
      b.file([12, 4], [b.file([4, 4, 4], [b.leaf(4), b.leaf(4), b.leaf(4)]).toV0(), b.file([4], [b.leaf(4)])]),
  };
  for (const [what, build] of Object.entries(hostile)) {
    it(`CONTENT_MISMATCH: ${what}`, async () => {
      const blocks = new Blocks();
      const root = build(blocks);
      // Without `actual`: refused by the shape, before the end.
      await rejectsWith(blocks.read(root), "CONTENT_MISMATCH", { expected: root.toString(), actual: undefined });
    });
  }

  it("CONTENT_MISMATCH: right shape, but not the importer's bytes", async () => {
    const blocks = new Blocks();
    const root = blocks.file([4], [blocks.leaf(4)]); // Its link claims a total size of 1.
    const actual = await importContent(new Uint8Array(4).fill(7), async () => {}, SMALL);
    await rejectsWith(blocks.read(root), "CONTENT_MISMATCH", { expected: root.toString(), actual });
  });

  it("a tree of few blocks that unfolds to 3^20 leaves costs the root alone, or what the bound allows", async () => {
    const blocks = new Blocks();
    let node = blocks.leaf(4);
    let bytes = 4;
    for (let level = 0; level < 20; level++) {
      node = blocks.file([bytes, bytes, bytes], [node, node, node]);
      bytes *= 3;
    }
    await rejectsWith(blocks.read(node), "CONTENT_TOO_LARGE", { atLeastBytes: bytes });
    assert.equal(blocks.asked, 1);
  });
});

describe("verifyContent", () => {
  async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let offset = 0; offset < bytes.length; offset += 5) yield bytes.subarray(offset, offset + 5);
  }

  it("passes on what it was given, and nothing above the bound", async () => {
    const bytes = sampleBytes(23);
    const cid = await importContent(bytes, async () => {});
    const passed: number[] = [];
    for await (const chunk of verifyContent(cid, chunksOf(bytes), 23)) passed.push(...chunk);
    assert.deepEqual(passed, [...bytes]);
    let seen = 0;
    await rejectsWith(
      (async () => {
        for await (const chunk of verifyContent(cid, chunksOf(bytes), 12)) seen += chunk.length;
      })(),
      "CONTENT_TOO_LARGE",
      { atLeastBytes: 15 },
    );
    assert.equal(seen, 10);
  });

  it("CONTENT_MISMATCH names both: any one byte changed, missing or added", async () => {
    const bytes = sampleBytes(23);
    const expected = await importContent(bytes, async () => {});
    const altered = bytes.slice();
    altered[22]! ^= 0x80;
    for (const other of [altered, bytes.subarray(0, 22), Uint8Array.of(...bytes, 0), new Uint8Array()]) {
      const actual = await importContent(other, async () => {});
      const verify = async (): Promise<void> => {
        for await (const _ of verifyContent(expected, chunksOf(other), 100));
      };
      await rejectsWith(verify(), "CONTENT_MISMATCH", { expected, actual });
    }
  });

  it("hands on the source's error", async () => {
    const cid = await importContent(new Uint8Array(), async () => {});
    const broken = (async function* (): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(1);
      throw new Error("cable pulled");
    })();
    await assert.rejects(async () => {
      for await (const _ of verifyContent(cid, broken, 100));
    }, /cable pulled/);
  });
});
