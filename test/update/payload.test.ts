// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { UPDATE_LIMIT } from "../../src/protocol/grid.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import { blockForm, decodeBlocks, encodeBlocks } from "../../src/update/blocks.ts";
import { contentLengthBounds, decodePayload, encodePayload, maxPayloadBytes } from "../../src/update/payload.ts";
import { decodeGaps, encodeGaps, largestMagnitudes } from "../../src/update/sparseIndices.ts";

const gridValues = fc.array(
  fc.oneof(
    fc.integer({ min: -(UPDATE_LIMIT - 1), max: UPDATE_LIMIT - 1 }),
    fc.integer({ min: -300, max: 300 }),
    fc.constantFrom(0, UPDATE_LIMIT - 1, 1 - UPDATE_LIMIT),
  ),
  { minLength: 1, maxLength: 90 },
);
const codecFor = (size: number): fc.Arbitrary<CodecConfig> =>
  fc.oneof(
    fc.record({
      name: fc.constantFrom("int16" as const, "int8" as const),
      blockSize: fc.integer({ min: 1, max: 100 }),
    }),
    fc.record({
      name: fc.constantFrom("topk-int16" as const, "topk-int8" as const),
      blockSize: fc.integer({ min: 1, max: 100 }),
      keep: fc.integer({ min: 1, max: size }),
    }),
  );
const cases = gridValues.chain((values) =>
  codecFor(values.length).map((codec) => ({ values: Int32Array.from(values), codec })),
);

describe("payload", () => {
  it("decodes to values that never exceed what was encoded, in no coordinate", () => {
    fc.assert(
      fc.property(cases, ({ values, codec }) => {
        const payload = encodePayload(values, codec);
        assert.ok(payload.length <= maxPayloadBytes(codec, values.length));
        const { values: decoded, offGrid } = decodePayload(payload, codec, values.length);
        assert.equal(offGrid, undefined);
        for (const [j, q] of decoded.entries()) {
          assert.ok(
            Math.abs(q) <= Math.abs(values[j] as number) && q * (values[j] as number) >= 0,
            `${values[j]} became ${q}`,
          );
        }
      }),
      { seed: 31, numRuns: 300 },
    );
  });

  it("loses less than one scale unit of its block", () => {
    fc.assert(
      fc.property(gridValues, fc.constantFrom(1 as const, 2 as const), (list, valueBytes) => {
        const values = Int32Array.from(list);
        const limit = valueBytes === 2 ? 32_767 : 127;
        const scale = Math.max(1, Math.ceil(Math.max(...list.map(Math.abs)) / limit));
        const form = blockForm(valueBytes, values.length);
        const { values: decoded } = decodeBlocks(encodeBlocks(values, form), values.length, form);
        for (const [j, q] of decoded.entries()) assert.ok(Math.abs((values[j] as number) - q) < scale);
      }),
      { seed: 32, numRuns: 200 },
    );
  });

  it("int8 by hand: 254 and −255 share the scale 3", () => {
    // ⌈255/127⌉ = 3; 254/3 = 84.67 → 84 → 252; −255/3 = −85 → −255; 2/3 → 0.
    const { values } = decodePayload(
      encodePayload(Int32Array.of(254, -255, 2), { name: "int8", blockSize: 3 }),
      { name: "int8", blockSize: 3 },
      3,
    );
    assert.deepEqual([...values], [252, -255, 0]);
  });

  it("the last block may be short, and each block has its own scale", () => {
    const codec: CodecConfig = { name: "int8", blockSize: 2 };
    const { values } = decodePayload(encodePayload(Int32Array.of(1_270, 5, 3, 1, 100), codec), codec, 5);
    assert.deepEqual([...values], [1_270, 0, 3, 1, 100]);
    assert.deepEqual(contentLengthBounds(codec, 5), [3 * 4 + 5, 3 * 4 + 5]);
  });

  it("top-k sends the largest and nothing else", () => {
    const codec: CodecConfig = { name: "topk-int16", blockSize: 8, keep: 3 };
    const { values } = decodePayload(encodePayload(Int32Array.of(5, -9, 2, 9, 0, 9, -1), codec), codec, 7);
    assert.deepEqual([...values], [0, -9, 0, 9, 0, 9, 0]);
  });

  it("reports the coordinate of an off-grid value, not its place in the payload", () => {
    const codec: CodecConfig = { name: "topk-int16", blockSize: 1, keep: 2 };
    const payload = encodePayload(Int32Array.of(0, 0, 7, 0, 9), codec);
    assert.deepEqual([...decodePayload(payload, codec, 5).values], [0, 0, 7, 0, 9]);
    const bytes = encodeBlocks(Int32Array.of(UPDATE_LIMIT - 1), blockForm(2, 1));
    new DataView(bytes.buffer).setUint32(0, 600);
    assert.deepEqual(decodeBlocks(bytes, 1, blockForm(2, 1)).offGrid, {
      index: 0,
      value: 600 * Math.trunc((UPDATE_LIMIT - 1) / 513),
    });
  });
});

describe("largestMagnitudes", () => {
  it("agrees with sorting by magnitude, ties to the lowest index", () => {
    const withKeep = gridValues.chain((values) =>
      fc.integer({ min: 1, max: values.length }).map((keep) => ({ values: Int32Array.from(values), keep })),
    );
    fc.assert(
      fc.property(withKeep, ({ values, keep }) => {
        const order = Array.from(values.keys()).sort(
          (a, b) => Math.abs(values[b] as number) - Math.abs(values[a] as number) || a - b,
        );
        assert.deepEqual(
          [...largestMagnitudes(values, keep)],
          order.slice(0, keep).sort((a, b) => a - b),
        );
      }),
      { seed: 33, numRuns: 300 },
    );
  });

  it("keeps exactly k of all-equal and of all-zero values", () => {
    assert.deepEqual([...largestMagnitudes(Int32Array.of(4, -4, 4, -4), 2)], [0, 1]);
    assert.deepEqual([...largestMagnitudes(new Int32Array(5), 3)], [0, 1, 2]);
  });
});

describe("gaps", () => {
  it("by hand: 0, 1, 130, 20000", () => {
    // 0; 0; 130 − 2 = 128 = 0x80 0x01; 20000 − 131 = 19869 = 0x9d + 155·128 → 0x9d 0x9b 0x01.
    const bytes = Uint8Array.of(0, 0, 0x80, 0x01, 0x9d, 0x9b, 0x01);
    assert.deepEqual(encodeGaps(Uint32Array.of(0, 1, 130, 20_000)), bytes);
    assert.deepEqual(decodeGaps(bytes, 4, 20_001), { indices: Uint32Array.of(0, 1, 130, 20_000), length: 7 });
  });

  it("round trip, up to the largest model", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 30 }), (list) => {
        const indices = Uint32Array.from(list).sort();
        const bytes = encodeGaps(indices);
        assert.deepEqual(decodeGaps(bytes, indices.length, 2 ** 31), { indices, length: bytes.length });
      }),
      { seed: 34, numRuns: 200 },
    );
  });

  it("refuses forms that are not the shortest, indices beyond the layout, and missing bytes", () => {
    assert.throws(() => decodeGaps(Uint8Array.of(0x85, 0x00), 1, 1_000), /shortest/);
    assert.throws(() => decodeGaps(Uint8Array.of(0x80, 0x80, 0x00), 1, 100_000), /shortest/);
    assert.throws(() => decodeGaps(Uint8Array.of(10), 1, 10), /beyond/);
    assert.throws(() => decodeGaps(Uint8Array.of(5, 4), 2, 10), /Index 1 is 10/);
    assert.throws(() => decodeGaps(new Uint8Array(12).fill(0xff), 1, 2 ** 31), /beyond/);
    assert.throws(
      () => decodeGaps(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01), 1, 2 ** 31),
      /beyond/,
    );
    assert.throws(() => decodeGaps(Uint8Array.of(0x80), 1, 1_000), /end after 0 of 1/);
  });
});
