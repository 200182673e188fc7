// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CID } from "multiformats/cid";
import { contentIdFromDigest, digestOf, parseContentId } from "../../src/storage/contentId.ts";
import { IMPORT_PARAMETERS, importContent, nameOf } from "../../src/storage/importContent.ts";
import { MIB, sampleBytes } from "./support.ts";

/**
 * The tree by hand: the protobuf of dag-pb and UnixFS written out, sha2-256 from Node. Shares nothing with the libraries
 * that the store uses.
 */
function nameByHand(bytes: Uint8Array, chunkBytes: number, width: number): Uint8Array {
  interface Node {
    readonly cid: Buffer;
    readonly fileBytes: number;
    readonly totalBytes: number;
  }
  const varint = (value: number): Buffer => {
    const out: number[] = [];
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
    return Buffer.from([...out, rest]);
  };
  const field = (tag: number, value: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from([tag]), varint(value.length), value]);
  const number = (tag: number, value: number): Buffer => Buffer.concat([Buffer.from([tag]), varint(value)]);
  const sha256 = (block: Uint8Array): Buffer => createHash("sha256").update(block).digest();
  const cidOf = (codec: number, block: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from([1, codec, 0x12, 32]), sha256(block)]);
  const parentOf = (children: readonly Node[]): Node => {
    const fileBytes = children.reduce((sum, child) => sum + child.fileBytes, 0);
    // UnixFS Data: type = file (2), filesize, blocksizes; then PBNode: links before data.
    const data = Buffer.concat([
      number(0x08, 2),
      number(0x18, fileBytes),
      ...children.map((child) => number(0x20, child.fileBytes)),
    ]);
    const links = children.map((child) =>
      field(
        0x12,
        Buffer.concat([field(0x0a, child.cid), field(0x12, Buffer.alloc(0)), number(0x18, child.totalBytes)]),
      ),
    );
    const block = Buffer.concat([...links, field(0x0a, data)]);
    return {
      cid: cidOf(0x70, block),
      fileBytes,
      totalBytes: block.length + children.reduce((sum, child) => sum + child.totalBytes, 0),
    };
  };
  let level: Node[] = [];
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
    const leaf = bytes.subarray(offset, offset + chunkBytes);
    level.push({ cid: cidOf(0x55, leaf), fileBytes: leaf.length, totalBytes: leaf.length });
  }
  do {
    const parents: Node[] = [];
    for (let i = 0; i < Math.max(level.length, 1); i += width) parents.push(parentOf(level.slice(i, i + width)));
    level = parents;
  } while (level.length > 1);
  return level[0]!.cid.subarray(4);
}

describe("importContent", () => {
  it("has the parameters that every past object was named with", () => {
    assert.deepEqual(IMPORT_PARAMETERS, { chunkBytes: 1_048_576, width: 174 });
  });

  it("keeps the names of known bytes", async () => {
    const known = {
      bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y: new Uint8Array(),
      bafybeiatqrf5qpcdvxj4bh574zy2fjx6u373pnxb3jhnus4mtodpg4w4f4: Uint8Array.of(0),
      bafybeidotielrw3im75htpgjowwatkd4rtggmzpefxezjphzb3s2ms2rzq: Uint8Array.of(0, 1, 2, 3),
    };
    for (const [cid, bytes] of Object.entries(known)) assert.equal(await nameOf(bytes), cid);
  });

  it("agrees with the tree by hand, with the agreed parameters", async () => {
    for (const length of [0, 1, 5, MIB - 1, MIB, MIB + 1, 3 * MIB + 17]) {
      const bytes = sampleBytes(length, length + 1);
      const byHand = nameByHand(bytes, IMPORT_PARAMETERS.chunkBytes, IMPORT_PARAMETERS.width);
      assert.equal(await nameOf(bytes), contentIdFromDigest(byHand), `${length} bytes`);
    }
  });

  it("agrees with the tree by hand for deep trees, however the source is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 400 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 2, max: 5 }),
        fc.integer({ min: 1, max: 50 }),
        async (bytes, chunkBytes, width, pieceBytes) => {
          const pieces: Uint8Array[] = [];
          for (let offset = 0; offset < bytes.length; offset += pieceBytes)
            pieces.push(bytes.subarray(offset, offset + pieceBytes));
          const byHand = contentIdFromDigest(nameByHand(bytes, chunkBytes, width));
          assert.equal(await nameOf(pieces, { chunkBytes, width }), byHand);
          assert.equal(await nameOf(bytes, { chunkBytes, width }), byHand);
        },
      ),
      { seed: 9, numRuns: 150 },
    );
  });

  it("makes 174 leaves one level and 175 two", async () => {
    const shape = async (leaves: number): Promise<number> => {
      let nodes = 0;
      await importContent(
        sampleBytes(leaves),
        async (cid) => {
          if (cid.code === 0x70) nodes++;
        },
        { chunkBytes: 1, width: 174 },
      );
      return nodes;
    };
    assert.equal(await shape(174), 1);
    assert.equal(await shape(175), 3);
  });
});

describe("contentId", () => {
  it("goes to the chain as 32 bytes and comes back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (digest) => {
        const cid = contentIdFromDigest(digest);
        assert.match(cid, /^bafybei[a-z2-7]{52}$/);
        assert.equal(parseContentId(cid), cid);
        assert.deepEqual(digestOf(cid), digest);
      }),
      { seed: 3, numRuns: 50 },
    );
  });

  it("is what the multiformats library makes of it", () => {
    const cid = contentIdFromDigest(new Uint8Array(32).fill(0xab));
    assert.equal(CID.parse(cid).toV0().toV1().toString(), cid);
  });

  it("CONTENT_ID_MALFORMED: a digest of another length", () => {
    for (const length of [0, 31, 33])
      assert.throws(() => contentIdFromDigest(new Uint8Array(length)), { code: "CONTENT_ID_MALFORMED" });
  });
});
