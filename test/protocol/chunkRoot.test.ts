// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { toHex } from "../../src/protocol/bytes.ts";
import { CHUNK_BYTES, chunkRoot } from "../../src/protocol/chunkRoot.ts";

const MIB = 1_048_576;
/** SHA-256 of the parts, from node:crypto. */
const hash = (...parts: Uint8Array[]) => {
  const state = createHash("sha256");
  for (const part of parts) state.update(part);
  return new Uint8Array(state.digest());
};
const leaf = (chunk: Uint8Array) => hash(Uint8Array.of(0), chunk);
const node = (left: Uint8Array, right: Uint8Array) => hash(Uint8Array.of(1), left, right);
/** Bytes that differ from chunk to chunk: 251 does not divide a chunk. */
const file = Uint8Array.from({ length: 2 * MIB + 1 }, (_, i) => i % 251);
const first = leaf(file.subarray(0, MIB));

describe("chunkRoot", () => {
  it("cuts at 1 MiB", () => assert.equal(CHUNK_BYTES, MIB));
  for (const [name, size, expected] of [
    ["nothing", 0, hash()],
    ["one byte", 1, leaf(file.subarray(0, 1))],
    ["one byte less than a chunk", MIB - 1, leaf(file.subarray(0, MIB - 1))],
    ["a chunk", MIB, first],
    ["a chunk and a byte", MIB + 1, node(first, leaf(file.subarray(MIB, MIB + 1)))],
    ["two chunks", 2 * MIB, node(first, leaf(file.subarray(MIB, 2 * MIB)))],
    [
      "two chunks and a byte",
      2 * MIB + 1,
      node(node(first, leaf(file.subarray(MIB, 2 * MIB))), leaf(file.subarray(2 * MIB))),
    ],
  ] as const) {
    it(`of ${name}`, () => assert.equal(toHex(chunkRoot(file.subarray(0, size))), toHex(expected)));
  }
  it("tells a file from the two leaf hashes of a longer one", () => {
    const second = leaf(file.subarray(MIB, MIB + 1));
    const forged = new Uint8Array(64);
    forged.set(first);
    forged.set(second, 32);
    assert.notDeepEqual(chunkRoot(forged), chunkRoot(file.subarray(0, MIB + 1)));
  });
  it("changes with a byte of any chunk", () => {
    const root = toHex(chunkRoot(file));
    for (const position of [0, MIB - 1, MIB, 2 * MIB]) {
      const damaged = file.slice();
      damaged[position] = 255;
      assert.notEqual(toHex(chunkRoot(damaged)), root, `byte ${position}`);
    }
  });
});
