// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DataError } from "../../../src/data/errors.ts";
import { arrayOf, parseNpy, parseNpz } from "../../../src/data/formats/npy.ts";
import { readZip } from "../../../src/data/formats/zip.ts";
import { bytesOf, npy, type ZipEntry, zip } from "../support/files.ts";

const MEBIBYTE = 2 ** 20;
const VALUES = bytesOf(Int16Array.from([-3, -2, -1, 0, 1, 2]));
const GOOD = npy("<i2", [3, 2], VALUES);
const ARCHIVE = zip([
  { name: "X.npy", data: GOOD },
  { name: "y.npy", data: npy("|u1", [3], Uint8Array.from([1, 0, 2])), stored: true },
]);

/** Written by numpy 1.24 with savez_compressed(X=arange(-3, 3) as <i2 3 × 2, y=[1, 0, 2] as u1), and savez(w=[0.5, -1.25] as <f4). */
const BY_NUMPY =
  "UEsDBBQAAAAIAAAAIQCKcGHbUwAAAIwAAAAFABQAWC5ucHkBABAAjAAAAAAAAABTAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TaaSuo6Cell9UUpSYF59flJIK" +
  "EndLzClOBYoXZyQWpAL5GsY6CkaaOgq1CmQDrr////3//5+BgZGBiQEAUEsDBBQAAAAIAAAAIQA+sb/0RwAAAIMAAAAFABQAeS5ucHkBABAAgwAAAAAAAABHAAAAAAAA" +
  "AJvsF+obEMnIUMZQrZ6SWpxcpG6loF5Taqiuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GsY6mjoKtQoUAC5GBiYAUEsBAhQDFAAAAAgAAAAhAIpwYdtTAAAA" +
  "jAAAAAUAAAAAAAAAAAAAAIABAAAAAFgubnB5UEsBAhQDFAAAAAgAAAAhAD6xv/RHAAAAgwAAAAUAAAAAAAAAAAAAAIABigAAAHkubnB5UEsFBgAAAAACAAIAZgAAAAgB" +
  "AAAAAA==";
const STORED_BY_NUMPY =
  "UEsDBBQAAAAAAAAAIQAmjR56iAAAAIgAAAAFABQAdy5ucHkBABAAiAAAAAAAAACIAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxmNCcsICdmb3J0cmFuX29yZGVy" +
  "JzogRmFsc2UsICdzaGFwZSc6ICgyLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAAAPwAAoL9Q" +
  "SwECFAMUAAAAAAAAACEAJo0eeogAAACIAAAABQAAAAAAAAAAAAAAgAEAAAAAdy5ucHlQSwUGAAAAAAEAAQAzAAAAvwAAAAAA";

describe("NumPy arrays", () => {
  it("type, shape and values", () => {
    const { shape, values } = parseNpy(GOOD, "a");
    assert.deepEqual(shape, [3, 2]);
    assert.deepEqual(values, Int16Array.from([-3, -2, -1, 0, 1, 2]));
    assert.deepEqual(parseNpy(npy("<f8", [], bytesOf(Float64Array.of(2.5))), "a").values, Float64Array.of(2.5));
  });

  it("archives that NumPy wrote", () => {
    const arrays = parseNpz(Buffer.from(BY_NUMPY, "base64"), "a", MEBIBYTE);
    assert.deepEqual(arrays.get("X"), { shape: [3, 2], values: Int16Array.from([-3, -2, -1, 0, 1, 2]) });
    assert.deepEqual(arrays.get("y"), { shape: [3], values: Uint8Array.from([1, 0, 2]) });
    const stored = parseNpz(Buffer.from(STORED_BY_NUMPY, "base64"), "a", MEBIBYTE);
    assert.deepEqual(stored.get("w"), { shape: [2], values: Float32Array.from([0.5, -1.25]) });
  });

  const text = GOOD.toString("latin1");
  const edited = (from: string, to: string): Buffer => Buffer.from(text.replace(from, to), "latin1");
  const damages: Record<string, Buffer> = {
    magic: edited("NUMPY", "NUMPX"),
    "version 9": edited("\x01\x00", "\x09\x00"),
    "pickled objects": edited("<i2", "|O8"),
    "64-bit integers": edited("<i2", "<i8"),
    "big-endian": edited("<i2", ">i2"),
    "Fortran order": edited("False", "True "),
    "a header that is code": edited("'shape': (3, 2)", "'shape': f(3,2)"),
    "a shape too large": edited("(3, 2), }   ", "(3, 9999), }"),
    "a shape beyond every number": edited("(3, 2), }".padEnd(30), "(999999999, 999999999, 9), }".padEnd(30)),
    "nine dimensions": edited("(3, 2), }".padEnd(40), "(3, 2, 1, 1, 1, 1, 1, 1, 1), }".padEnd(40)),
    "header length beyond the file": edited("v\x00{", "\xff\xff{"),
    "a byte too many": Buffer.concat([GOOD, Buffer.from([0])]),
  };
  for (const length of [0, 5, 9, 60, GOOD.length - 1]) damages[`cut to ${length} bytes`] = GOOD.subarray(0, length);
  for (const [name, bytes] of Object.entries(damages)) {
    it(`BAD_FORMAT: ${name}`, () => {
      assert.notDeepEqual(bytes, GOOD);
      assert.throws(() => parseNpy(bytes, "a.npy"), { code: "BAD_FORMAT", message: /a\.npy/ });
    });
  }

  it("arrayOf: a missing array and another shape are refused, −1 leaves a dimension open", () => {
    const arrays = parseNpz(ARCHIVE, "a", MEBIBYTE);
    assert.equal(arrayOf(arrays, "X", [-1, 2], "a").values.length, 6);
    for (const [name, shape] of [
      ["Z", [1]],
      ["X", [-1, 3]],
      ["X", [-1]],
    ] as const)
      assert.throws(() => arrayOf(arrays, name, shape, "a"), { code: "BAD_FORMAT" });
  });
});

describe("ZIP", () => {
  it("stored and deflated entries, with a comment at the end", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(
          fc.record({ name: fc.stringMatching(/^[a-z]{1,8}$/), data: fc.uint8Array(), stored: fc.boolean() }),
          {
            selector: ({ name }) => name,
            maxLength: 5,
          },
        ),
        fc.stringMatching(/^[a-z]{0,20}$/),
        (entries: ZipEntry[], comment) => {
          const files = readZip(zip(entries, comment), "a", MEBIBYTE);
          assert.deepEqual(
            [...files].map(([name, data]) => [name, [...data]]),
            entries.map(({ name, data }) => [name, [...data]]),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  it("whatever byte is changed, it is refused or the content is the same", () => {
    const good = [...readZip(ARCHIVE, "a", MEBIBYTE)].map(([, data]) => data.toString("hex"));
    fc.assert(
      fc.property(fc.nat(ARCHIVE.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = Buffer.from(ARCHIVE);
        bytes[at] = (bytes[at] as number) ^ change;
        try {
          const found = [...readZip(bytes, "a", MEBIBYTE)].map(([, data]) => data.toString("hex"));
          // Fewer entries in the end record hide the last one; what is read is still what was written.
          assert.ok(found.every((content, i) => content === good[i]));
        } catch (error) {
          assert.ok(error instanceof DataError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("wherever it is cut, it is refused", () => {
    for (let length = 0; length < ARCHIVE.length; length++)
      assert.throws(() => readZip(ARCHIVE.subarray(0, length), "a", MEBIBYTE), { code: "BAD_FORMAT" });
  });

  it("TOO_LARGE: by the directory, before anything is inflated", () => {
    assert.throws(() => readZip(ARCHIVE, "a", 100), { code: "TOO_LARGE" });
    const bomb = zip([{ name: "a", data: Buffer.alloc(MEBIBYTE) }]);
    assert.throws(() => readZip(bomb, "a", MEBIBYTE - 1), { code: "TOO_LARGE" });
    // A directory that understates the size does not help: inflating stops there.
    bomb.writeUInt32LE(10, bomb.indexOf("PK\x01\x02") + 24);
    assert.throws(() => readZip(bomb, "a", MEBIBYTE), { code: "BAD_FORMAT" });
  });

  it("BAD_FORMAT: two entries of one name, encryption, an unknown method", () => {
    const data = Buffer.from("data");
    const twice = zip([
      { name: "a", data },
      { name: "a", data },
    ]);
    const central = (offset: number, value: number): Buffer => {
      const bytes = zip([{ name: "a", data }]);
      bytes.writeUInt16LE(value, bytes.indexOf("PK\x01\x02") + offset);
      return bytes;
    };
    for (const bytes of [twice, central(8, 1), central(10, 12)])
      assert.throws(() => readZip(bytes, "a", MEBIBYTE), { code: "BAD_FORMAT" });
  });
});
