// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeDataset, encodeDataset } from "../../src/data/encodeDataset.ts";
import type { Dataset } from "../../src/protocol/dataset.ts";

const SMALL: Dataset = {
  features: Float32Array.from([0, 1, 0.0625, -2.5, 1e-45, 3]),
  labels: Int32Array.from([1, 0]),
  inputs: 3,
  classes: 2,
  size: 2,
};
const HEX =
  "464f454455445331" + // FOEDUDS1
  "00000002" +
  "00000003" +
  "00000002" +
  "0001" +
  "0000" +
  "00000000" +
  "3f800000" +
  "3d800000" +
  "c0200000" +
  "00000001" +
  "40400000";

const refused = { code: "MALFORMED_INPUT" };
const bytesOf = (change: (bytes: Uint8Array, view: DataView) => void): Uint8Array => {
  const bytes = encodeDataset(SMALL);
  change(bytes, new DataView(bytes.buffer));
  return bytes;
};

describe("encodeDataset", () => {
  it("writes the bytes of its specification", () => {
    assert.equal(Buffer.from(encodeDataset(SMALL)).toString("hex"), HEX);
  });

  it("is inverted by decodeDataset, also from the middle of a larger buffer", () => {
    const datasets = fc
      .record({
        size: fc.integer({ min: 1, max: 6 }),
        inputs: fc.integer({ min: 1, max: 5 }),
        classes: fc.integer({ min: 1, max: 65_536 }),
      })
      .chain(({ size, inputs, classes }) =>
        fc.record({
          size: fc.constant(size),
          inputs: fc.constant(inputs),
          classes: fc.constant(classes),
          labels: fc
            .array(fc.integer({ min: 0, max: classes - 1 }), { minLength: size, maxLength: size })
            .map((values) => Int32Array.from(values)),
          features: fc
            .array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
              minLength: size * inputs,
              maxLength: size * inputs,
            })
            .map((values) => Float32Array.from(values, (value) => value + 0)),
        }),
      );
    fc.assert(
      fc.property(datasets, (dataset) => {
        const bytes = encodeDataset(dataset as Dataset);
        const shifted = new Uint8Array(bytes.length + 3);
        shifted.set(bytes, 3);
        assert.deepEqual(decodeDataset(shifted.subarray(3)), { ...dataset });
      }),
      { seed: 7, numRuns: 100 },
    );
  });

  it("refuses datasets without a canonical form", () => {
    for (const value of [NaN, Infinity, -Infinity, -0]) {
      assert.throws(() => encodeDataset({ ...SMALL, features: SMALL.features.with(2, value) }), refused, `${value}`);
    }
    for (const label of [-1, 2])
      assert.throws(() => encodeDataset({ ...SMALL, labels: SMALL.labels.with(1, label) }), refused);
    assert.throws(() => encodeDataset({ ...SMALL, size: 1 }), refused);
    assert.throws(
      () => encodeDataset({ ...SMALL, size: 0, labels: new Int32Array(), features: new Float32Array() }),
      refused,
    );
    assert.throws(() => encodeDataset({ ...SMALL, classes: 65_537 }), refused);
  });
});

describe("decodeDataset", () => {
  const damages: Record<string, Uint8Array> = {
    empty: new Uint8Array(),
    "wrong magic": bytesOf((bytes) => (bytes[7] = 0x32)),
    "truncated header": encodeDataset(SMALL).subarray(0, 19),
    truncated: encodeDataset(SMALL).subarray(0, -1),
    "trailing byte": Uint8Array.from([...encodeDataset(SMALL), 0]),
    "size larger than the bytes": bytesOf((_, view) => view.setUint32(8, 3)),
    "size 2^32 − 1": bytesOf((_, view) => view.setUint32(8, 0xffffffff)),
    "size and inputs 2^32 − 1": bytesOf((bytes) => bytes.fill(0xff, 8, 16)),
    "no samples": bytesOf((_, view) => view.setUint32(8, 0)),
    "no features": bytesOf((_, view) => view.setUint32(12, 0)),
    "no classes": bytesOf((_, view) => view.setUint32(16, 0)),
    "too many classes": bytesOf((_, view) => view.setUint32(16, 65_537)),
    "label beyond the classes": bytesOf((_, view) => view.setUint16(20, 2)),
    "NaN feature": bytesOf((_, view) => view.setUint32(24, 0x7fc00000)),
    "infinite feature": bytesOf((_, view) => view.setUint32(24, 0xff800000)),
    "negative zero": bytesOf((_, view) => view.setUint32(24, 0x80000000)),
  };
  for (const [name, bytes] of Object.entries(damages)) {
    it(`refuses: ${name}`, () => assert.throws(() => decodeDataset(bytes), refused));
  }

  it("accepts the undamaged file, so that the refusals above are due to the damage", () => {
    assert.deepEqual(decodeDataset(encodeDataset(SMALL)), SMALL);
  });
});
