// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../src/protocol/bytes.ts";
import { contentIdOfDigest, digestOfContentId } from "../../src/protocol/contentId.ts";
import { contentIdFromDigest, digestOf } from "../../src/storage/contentId.ts";

const EDGES = [new Uint8Array(32), new Uint8Array(32).fill(255), Uint8Array.of(...new Uint8Array(31), 1)];

describe("contentIdOfDigest", () => {
  it("names an empty folder as IPFS does", () => {
    // The best-known CIDv1 of dag-pb and sha2-256: the block 0x0a020801 of an empty UnixFS folder.
    assert.equal(
      contentIdOfDigest("0x59948439065f29619ef41280cbb932be52c56d99c5966b65e0111239f098bbef"),
      "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354",
    );
  });
  it("agrees with the CID library, both ways", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (digest) => {
        const id = contentIdFromDigest(digest);
        assert.equal(contentIdOfDigest(toHex(digest)), id);
        assert.equal(digestOfContentId(id), toHex(digest));
        assert.deepEqual(digestOf(contentIdOfDigest(toHex(digest))), digest);
      }),
      { seed: 27, numRuns: 200, examples: EDGES.map((digest) => [digest] as [Uint8Array<ArrayBuffer>]) },
    );
  });
  it("refuses a digest of another length", () => {
    for (const length of [0, 31, 33])
      assert.throws(() => contentIdOfDigest(toHex(new Uint8Array(length))), { code: "MALFORMED_INPUT" }, `${length}`);
    assert.equal(fromHex(digestOfContentId(contentIdOfDigest(toHex(new Uint8Array(32))))).length, 32);
  });
});
