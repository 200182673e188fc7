// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { concatBytes, toHex, utf8 } from "../../src/protocol/bytes.ts";
import { keccak256, sha256 } from "../../src/protocol/hash.ts";
import { merkleLeaf, merkleRoot } from "../../src/protocol/merkle.ts";

const hash = (...parts: Uint8Array[]) =>
  new Uint8Array(
    createHash("sha256")
      .update(concatBytes(...parts))
      .digest(),
  );
const node = (left: Uint8Array, right: Uint8Array) => hash(Uint8Array.of(1), left, right);
const data = ["a", "b", "c", "d", "e"].map(utf8);
const [a, b, c, d, e] = data.map((bytes) => hash(Uint8Array.of(0), bytes)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const leaves = data.map((bytes) => merkleLeaf(bytes, sha256));

describe("merkleRoot", () => {
  // RFC 6962 §2.1: the left subtree takes the largest power of two below the count.
  for (const [count, expected] of [
    [1, a],
    [2, node(a, b)],
    [3, node(node(a, b), c)],
    [4, node(node(a, b), node(c, d))],
    [5, node(node(node(a, b), node(c, d)), e)],
  ] as const) {
    it(`has the shape of RFC 6962 with ${count} leaves`, () => {
      assert.equal(toHex(merkleRoot(leaves.slice(0, count), sha256)), toHex(expected));
    });
  }
  it("of no leaves is the hash of the empty string", () => {
    assert.equal(toHex(merkleRoot([], sha256)), `0x${createHash("sha256").digest("hex")}`);
    assert.equal(toHex(merkleRoot([])), "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  });
  it("uses keccak256 unless told otherwise", () => {
    assert.deepEqual(merkleLeaf(utf8("a")), keccak256(Uint8Array.of(0, 0x61)));
    const pair = [merkleLeaf(utf8("a")), merkleLeaf(utf8("b"))] as const;
    assert.deepEqual(merkleRoot(pair), keccak256(concatBytes(Uint8Array.of(1), ...pair)));
  });
  it("an inner node cannot be passed off as a leaf", () => {
    const root = merkleRoot([a, b], sha256);
    assert.notDeepEqual(merkleLeaf(concatBytes(a, b), sha256), root);
    assert.notDeepEqual(merkleRoot([merkleLeaf(concatBytes(a, b), sha256), c], sha256), merkleRoot([a, b, c], sha256));
  });
  it("tells order, repetition and every leaf apart", () => {
    const roots = [
      [a, b, c],
      [b, a, c],
      [a, c, b],
      [a, b, c, c],
      [a, b],
      [a, b, d],
    ].map((list) => toHex(merkleRoot(list, sha256)));
    assert.equal(new Set(roots).size, roots.length);
  });
});
