// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ByteSource, bytesInMemory } from "../../src/protocol/byteSource.ts";
import { CHUNK_BYTES, chunkRoot } from "../../src/protocol/chunkRoot.ts";
import { FoedusError } from "../../src/protocol/errors.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { CheckedBytes, PIECE_BYTES } from "../../src/update/checkedBytes.ts";

const random = keyedRandom("checked-bytes");
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.integerBelow(256));
const changed = (error: unknown): boolean => error instanceof FoedusError && error.code === "CONTENT_CHANGED";

/** A source that no longer has what lies behind `end`. */
function cutAt(bytes: Uint8Array, end: { bytes: number }): ByteSource {
  const whole = bytesInMemory(bytes);
  return {
    length: bytes.length,
    read: async (offset, length) => {
      if (offset + length > end.bytes)
        throw new FoedusError("CONTENT_NOT_FOUND", "It is not complete in this store any more.", { exitCode: 3 });
      return whole.read(offset, length);
    },
  };
}

describe("CheckedBytes", () => {
  for (const length of [
    0,
    1,
    PIECE_BYTES - 1,
    PIECE_BYTES,
    PIECE_BYTES + 1,
    CHUNK_BYTES,
    CHUNK_BYTES + PIECE_BYTES + 5,
  ]) {
    it(`${length} bytes: their chunk root, and themselves from any place to any other`, async () => {
      const bytes = noise(length);
      const checked = await CheckedBytes.of(bytesInMemory(bytes));
      assert.equal(checked.length, length);
      assert.deepEqual(checked.chunkRoot, chunkRoot(bytes));
      const places = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, length - 1, length];
      for (const from of places.filter((at) => at >= 0 && at <= length)) {
        for (const to of places.filter((at) => at >= from && at <= length))
          assert.deepEqual(await checked.read(from, to - from), bytes.slice(from, to), `${from} to ${to}`);
      }
    });
  }

  it("CONTENT_CHANGED: a byte changed since the first reading, wherever in what is read its piece lies", async () => {
    const bytes = noise(3 * PIECE_BYTES + 7);
    const checked = await CheckedBytes.of(bytesInMemory(bytes));
    for (const at of [0, PIECE_BYTES - 1, PIECE_BYTES, bytes.length - 1]) {
      bytes[at] = (bytes[at] as number) ^ 1;
      await assert.rejects(checked.read(0, bytes.length), changed);
      // Not the byte itself, but one of the same piece.
      await assert.rejects(checked.read(at - (at % PIECE_BYTES) + 1, 1), changed);
      const other = at < PIECE_BYTES ? PIECE_BYTES : 0;
      assert.deepEqual(await checked.read(other, 5), bytes.slice(other, other + 5));
      bytes[at] = (bytes[at] as number) ^ 1;
    }
    assert.deepEqual(await checked.read(0, bytes.length), bytes);
  });

  it("gives no byte of a changed piece to anybody", async () => {
    const bytes = noise(2 * PIECE_BYTES);
    const checked = await CheckedBytes.of(bytesInMemory(bytes));
    bytes[2 * PIECE_BYTES - 1] = (bytes[2 * PIECE_BYTES - 1] as number) ^ 1;
    let given = 0;
    await assert.rejects(async () => {
      for await (const piece of checked.pieces(10, bytes.length)) given += piece.length;
    }, changed);
    assert.equal(given, PIECE_BYTES - 10);
  });

  it("CONTENT_CHANGED, a failure of this round and not of the process: what was there is gone", async () => {
    const bytes = noise(2 * PIECE_BYTES);
    const end = { bytes: bytes.length };
    const checked = await CheckedBytes.of(cutAt(bytes, end));
    end.bytes = PIECE_BYTES + 1;
    await assert.rejects(
      checked.read(PIECE_BYTES, 1),
      (error) => changed(error) && (error as FoedusError).exitCode === 1,
    );
    assert.equal((await checked.read(0, PIECE_BYTES)).length, PIECE_BYTES);
    await assert.rejects(CheckedBytes.of(cutAt(bytes, end)), changed);
  });

  it("other failures of reading stay what they are", async () => {
    const broken: ByteSource = { length: 5, read: () => Promise.reject(new Error("EIO")) };
    await assert.rejects(CheckedBytes.of(broken), /EIO/);
  });
});
