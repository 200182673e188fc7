// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  ByteReader,
  ByteWriter,
  bigIntToBytes,
  bytesToBigInt,
  concatBytes,
  equalBytes,
  fromHex,
  toHex,
} from "../../src/protocol/bytes.ts";

const malformed = { code: "MALFORMED_INPUT" };

describe("hexadecimal", () => {
  it("keeps every byte and writes lower case", () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    assert.equal(toHex(all), `0x${Buffer.from(all).toString("hex")}`);
    assert.deepEqual(fromHex(toHex(all)), all);
    assert.equal(toHex(new Uint8Array(0)), "0x");
  });
  it("reads capitals", () => assert.deepEqual([...fromHex("0xAbCD")], [0xab, 0xcd]));
  for (const text of ["", "0", "00", "0X00", "0x0", "0xg0", "0x 0", " 0x00", "0x00\n", "0x+1", "0x-1", "0x００"]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => fromHex(text), malformed));
  }
  it("refuses another length than asked for, and names both", () => {
    assert.throws(() => fromHex("0x0000", 3), /Expected 3 bytes of hexadecimal, got 2/);
    assert.throws(() => fromHex("0x00", 0), malformed);
    assert.equal(fromHex("0x", 0).length, 0);
  });
});

describe("big-endian integers", () => {
  it("come back from any length that holds them", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }), fc.nat(8), (value, spare) => {
        const length = Math.ceil(value.toString(16).length / 2) + spare;
        assert.equal(bytesToBigInt(bigIntToBytes(value, length)), value);
        assert.equal(bigIntToBytes(value, length).length, length);
      }),
      { seed: 21, numRuns: 200 },
    );
  });
  it("take the most significant byte first", () => {
    assert.deepEqual([...bigIntToBytes(0x0102n, 3)], [0, 1, 2]);
    assert.equal(bytesToBigInt(new Uint8Array(0)), 0n);
  });
  it("refuse what does not fit", () => {
    assert.throws(() => bigIntToBytes(256n, 1), /256 does not fit 1 bytes/);
    assert.throws(() => bigIntToBytes(-1n, 8), malformed);
    assert.throws(() => bigIntToBytes(1n << 256n, 32), malformed);
  });
});

describe("ByteWriter and ByteReader", () => {
  it("read back what was written, to the end", () => {
    const bytes = new ByteWriter()
      .u8(0xff)
      .u16(0x0102)
      .u32(0xffff_ffff)
      .u64((1n << 64n) - 1n)
      .uint(5n, 3)
      .bytes(Uint8Array.of(9, 8))
      .finish();
    assert.equal(toHex(bytes), "0xff0102ffffffffffffffffffffffff0000050908");
    const reader = new ByteReader(bytes);
    assert.equal(reader.u8(), 0xff);
    assert.equal(reader.u16(), 0x0102);
    assert.equal(reader.u32(), 0xffff_ffff);
    assert.equal(reader.u64(), (1n << 64n) - 1n);
    assert.equal(reader.uint(3), 5n);
    assert.equal(reader.offset, 18);
    assert.throws(() => reader.end(), /2 bytes follow/);
    assert.deepEqual([...reader.bytes(2)], [9, 8]);
    assert.equal(reader.remaining, 0);
    reader.end();
  });
  it("writer refuses a value wider than its field", () => {
    const over: [string, (writer: ByteWriter) => unknown][] = [
      ["u8", (writer) => writer.u8(256)],
      ["u16", (writer) => writer.u16(65_536)],
      ["u32", (writer) => writer.u32(4_294_967_296)],
      ["u64", (writer) => writer.u64(1n << 64n)],
      ["negative", (writer) => writer.u32(-1)],
    ];
    for (const [name, write] of over) assert.throws(() => write(new ByteWriter()), malformed, name);
    assert.throws(() => new ByteWriter().u8(1.5), RangeError);
  });
  it("reader stops at the first missing byte and does not move", () => {
    const short: [number, (reader: ByteReader) => unknown][] = [
      [1, (reader) => reader.u8()],
      [2, (reader) => reader.u16()],
      [4, (reader) => reader.u32()],
      [8, (reader) => reader.u64()],
      [33, (reader) => reader.bytes(33)],
    ];
    for (const [length, read] of short) {
      const reader = new ByteReader(new Uint8Array(length - 1));
      assert.throws(() => read(reader), malformed, `${length}`);
      assert.equal(reader.offset, 0);
    }
  });
  it("reader respects the bounds of a view", () => {
    const whole = Uint8Array.of(1, 2, 3, 4);
    const reader = new ByteReader(whole.subarray(1, 3));
    assert.equal(reader.u16(), 0x0203);
    assert.throws(() => reader.u8(), malformed);
  });
});

describe("equalBytes and concatBytes", () => {
  it("tell lengths and every position apart", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    assert.ok(equalBytes(bytes, concatBytes(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))));
    assert.ok(!equalBytes(bytes, Uint8Array.of(1, 2)) && !equalBytes(Uint8Array.of(1, 2), bytes));
    for (let i = 0; i < 3; i++) {
      const other = bytes.slice();
      other[i] = 7;
      assert.ok(!equalBytes(bytes, other), `position ${i}`);
    }
  });
});
