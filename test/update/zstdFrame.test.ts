// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import { concatBytes } from "../../src/protocol/bytes.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import {
  announcedContentSize,
  compress,
  compressedBound,
  inflate,
  MAX_WINDOW_BYTES,
} from "../../src/update/zstdFrame.ts";

const random = keyedRandom("zstd-test");
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.integerBelow(256));
const text = new Uint8Array(5_000).map((_, i) => (i * i) % 7);
const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2);
const poke = (bytes: Uint8Array, at: number, value: number): Uint8Array =>
  Uint8Array.from(bytes, (byte, i) => (i === at ? value : byte));

describe("compress and inflate", () => {
  it("one frame alone, also where it is exactly as long as a buffer of the compressor", () => {
    const exactly: number[] = [];
    for (const buffer of [16_384, 32_768])
      for (let length = buffer - 40; length < buffer; length++) {
        const frame = compress(noise(length));
        assert.equal(announcedContentSize(frame), length);
        if (frame.length === buffer) exactly.push(buffer);
      }
    assert.deepEqual(exactly, [16_384, 32_768], "the lengths that matter are among those tried");
  });

  for (const length of [1, 2, 255, 256, 257, 65_535, 65_791, 65_792, 200_000]) {
    it(`${length} bytes, of every size of the size field, within the bound even for noise`, () => {
      for (const content of [noise(length), new Uint8Array(length)]) {
        const frame = compress(content);
        assert.equal(announcedContentSize(frame), length);
        assert.ok(frame.length <= compressedBound(length));
        assert.deepEqual(inflate(frame, length), content);
      }
    });
  }

  it("a content above the window, which needs a window descriptor", () => {
    const content = new Uint8Array(MAX_WINDOW_BYTES + 5).fill(3);
    const frame = compress(content);
    assert.equal(announcedContentSize(frame), content.length);
    assert.equal((frame[4] as number) & 0x20, 0, "not a single segment");
    assert.equal(inflate(frame, content.length).length, content.length);
  });

  it("reads frames that other zstd writers make: any level, raw blocks", () => {
    for (const level of [-5, 1, 19]) {
      const frame = zstdCompressSync(text, {
        params: { [constants.ZSTD_c_compressionLevel]: level },
        pledgedSrcSize: text.length,
      });
      assert.deepEqual(inflate(frame, announcedContentSize(frame)), text);
    }
    // Magic, single segment with a one-byte size, one raw last block.
    const byHand = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, (3 << 3) | 1, 0, 0, 7, 8, 9);
    assert.deepEqual(inflate(byHand, announcedContentSize(byHand)), Uint8Array.of(7, 8, 9));
    // The same as an RLE block: three times 7.
    const rle = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, (3 << 3) | 3, 0, 0, 7);
    assert.deepEqual(inflate(rle, announcedContentSize(rle)), Uint8Array.of(7, 7, 7));
  });
});

describe("announcedContentSize refuses", () => {
  const frame = compress(text);
  const cases: [string, Uint8Array, RegExp][] = [
    ["no bytes", new Uint8Array(0), /does not begin/],
    ["another magic", poke(frame, 0, 0x29), /does not begin/],
    ["a skippable frame", concatBytes(skippable, frame), /does not begin/],
    ["a skippable frame after it", concatBytes(frame, skippable), /10 bytes follow/],
    ["a second frame", concatBytes(frame, frame), /bytes follow/],
    ["a trailing byte", concatBytes(frame, Uint8Array.of(0)), /1 bytes follow/],
    ["a truncated header", frame.subarray(0, 6), /ends in its header/],
    ["a truncated block", frame.subarray(0, frame.length - 1), /truncated/],
    ["no block", frame.subarray(0, 7), /block header is missing/],
    ["a checksum", zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }), /checksum/],
    ["a dictionary id", poke(frame, 4, (frame[4] as number) | 1), /dictionary/],
    ["the reserved bit", poke(frame, 4, (frame[4] as number) | 8), /reserved/],
    ["the unused bit", poke(frame, 4, (frame[4] as number) | 16), /reserved/],
    [
      "no content size",
      zstdCompressSync(text, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } }),
      /does not state/,
    ],
    [
      "the reserved block type",
      Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, (3 << 3) | 7, 0, 0, 7, 8, 9),
      /reserved type/,
    ],
    // Window descriptor: exponent 7 is 2^17 = 128 KiB, mantissa 1 adds an eighth.
    [
      "a window of 144 KiB",
      Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x80, (7 << 3) | 1, 3, 0, 0, 0, 1, 0, 0),
      /window of 147456/,
    ],
    [
      "a single segment above 128 KiB",
      Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xa0, 1, 0, 2, 0, 1, 0, 0),
      /window of 131073/,
    ],
  ];
  for (const [name, bytes, reason] of cases) it(name, () => assert.throws(() => announcedContentSize(bytes), reason));

  it("a window of 128 KiB is allowed", () => {
    assert.equal(announcedContentSize(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x80, 7 << 3, 3, 0, 0, 0, 1, 0, 0)), 3);
  });
});

describe("inflate refuses", () => {
  it("blocks that give more or fewer bytes than announced", () => {
    const longer = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, (4 << 3) | 1, 0, 0, 7, 8, 9, 10);
    const shorter = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, (2 << 3) | 1, 0, 0, 7, 8);
    for (const bytes of [longer, shorter]) {
      assert.equal(announcedContentSize(bytes), 3);
      assert.throws(() => inflate(bytes, 3), /corrupt|announces/);
    }
  });

  it("corrupt blocks", () => {
    const frame = compress(text);
    assert.throws(() => inflate(poke(frame, 10, (frame[10] as number) ^ 0xff), text.length), /corrupt|announces/);
  });
});
