// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tilesOf } from "../../../src/kernels/gpu/payload.ts";
import { blocks, dense, sparse } from "../chunks.ts";

const plan = (chunks: Parameters<typeof tilesOf>[0], tileBytes: number, matrix = false) => [
  ...tilesOf(chunks, { tileBytes, outputBytes: 8, matrix }),
];

describe("tiles of the gpu kernels", () => {
  it("cover every coordinate once, from a multiple of 4 on, and are about as large as they may be", () => {
    const values = new Int32Array(10_001).fill(3);
    for (const rows of [[dense(values)], [dense(values), blocks(values, 1, 64)], [blocks(values, 2, 7, 3, 1)]]) {
      const chunks = rows.map(({ chunk }) => ({ chunk }));
      const size = (rows[0] as (typeof rows)[number]).values.length;
      const tiles = plan(chunks, 4_096);
      assert.ok(tiles.length > 2);
      let next = 0;
      for (const { tile, byteLength } of tiles) {
        assert.equal(tile.from, next);
        assert.equal(tile.from % 4, 0);
        assert.ok(byteLength <= 2 * 4_096, `${byteLength} bytes`);
        next += tile.count;
      }
      assert.equal(next, size);
    }
  });

  it("are halved where the entries of a sparse update crowd", () => {
    const crowded = sparse(Int32Array.from({ length: 100_000 }, (_, j) => (j > 40_000 && j < 45_000 ? j : 0)));
    const tiles = plan(new Array(20).fill({ chunk: crowded.chunk }), 8_192);
    assert.ok(tiles.every(({ byteLength }) => byteLength <= 2 * 8_192));
    assert.equal(
      tiles.reduce((sum, { tile }) => sum + tile.count, 0),
      100_000,
    );
    const counts = tiles.map(({ tile }) => tile.count);
    assert.ok(Math.min(...counts.slice(0, -1)) < Math.max(...counts));
  });

  it("are bounded by the matrix or the results where what is uploaded is small", () => {
    const { chunk } = sparse(new Int32Array(100_000));
    assert.ok(plan([{ chunk }], 8_000).every(({ tile }) => tile.count <= 1_000));
    assert.ok(plan(new Array(20).fill({ chunk }), 8_000, true).every(({ tile }) => tile.count <= 100));
  });

  it("are a matrix as they are when all updates are dense", () => {
    const { chunk } = dense(new Int32Array(1_000));
    const [tile] = plan([{ chunk }, { chunk }], 65_536);
    assert.equal((tile?.matrixOffset ?? 1) % 256, 0);
    assert.equal(plan([{ chunk }, { chunk: sparse(new Int32Array(1_000)).chunk }], 65_536)[0]?.matrixOffset, undefined);
  });
});
