// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodeFrame, FrameReader, MOST_HEADER_BYTES } from "../../../../src/learning/engines/process/frames.ts";
import {
  decodeTensors,
  encodeTensors,
  type FloatTensor,
} from "../../../../src/learning/engines/process/safetensors.ts";
import { concatBytes } from "../../../../src/protocol/bytes.ts";

const tensor: fc.Arbitrary<FloatTensor> = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }).chain((shape) => {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return fc.float32Array({ minLength: size, maxLength: size }).map((data) => ({ shape, data }));
});
const tensors = fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9.]{0,9}$/), tensor, {
  maxKeys: 5,
  noNullPrototype: true,
});

const file = (header: unknown, data: Uint8Array = new Uint8Array()): Uint8Array => {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const prefix = new Uint8Array(8);
  prefix[0] = json.length & 0xff;
  prefix[1] = json.length >> 8;
  return concatBytes(prefix, json, data);
};

describe("safetensors of float32", () => {
  it("come back as they were, bit for bit", () => {
    fc.assert(
      fc.property(tensors, (given) => {
        const decoded = decodeTensors(concatBytes(...encodeTensors(given)));
        assert.deepEqual(Object.fromEntries(decoded), given);
      }),
    );
  });

  it("a file by hand", () => {
    const header = { __metadata__: { by: "hand" }, w: { dtype: "F32", shape: [1, 2], data_offsets: [0, 8] } };
    const decoded = decodeTensors(file(header, Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 192)));
    assert.deepEqual(decoded.get("w"), { shape: [1, 2], data: Float32Array.of(1, -2) });
  });

  const at = (begin: number, end: number, rest: object = {}): object => ({
    w: { dtype: "F32", shape: [2], data_offsets: [begin, end], ...rest },
  });
  const WRONG: Readonly<Record<string, Uint8Array>> = {
    "too short": new Uint8Array(7),
    "header longer than the file": Uint8Array.of(200, 0, 0, 0, 0, 0, 0, 0, 123, 125),
    "header of 2^63 bytes": Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128, 123, 125),
    "header no JSON": file("").with(8, 1),
    "header no object": file(5),
    "another type of value": file(at(0, 16, { dtype: "F64" }), new Uint8Array(16)),
    "offsets that do not fit the shape": file(at(0, 4), new Uint8Array(4)),
    "gap before the data": file(at(4, 12), new Uint8Array(12)),
    "data cut off": file(at(0, 8), new Uint8Array(7)),
    "bytes left over": file(at(0, 8), new Uint8Array(9)),
    "extent beyond all files": file(at(0, 8, { shape: [2 ** 30, 2 ** 30, 2 ** 30] }), new Uint8Array(8)),
    "two tensors in one place": file(
      { ...at(0, 8), v: { dtype: "F32", shape: [2], data_offsets: [0, 8] } },
      new Uint8Array(8),
    ),
  };
  for (const [damage, bytes] of Object.entries(WRONG))
    it(`MALFORMED_INPUT: ${damage}`, () => assert.throws(() => decodeTensors(bytes), { code: "MALFORMED_INPUT" }));
});

describe("frames", () => {
  it("come back however the pipe cuts them", () => {
    const message = fc.record(
      {
        header: fc.record({ type: fc.string(), id: fc.nat() }, { noNullPrototype: true }),
        payload: fc.uint8Array({ maxLength: 40 }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(message, { maxLength: 4 }), fc.integer({ min: 1, max: 50 }), (given, cut) => {
        const stream = concatBytes(...given.flatMap(({ header, payload }) => encodeFrame(header, [payload])));
        const reader = new FrameReader();
        reader.mostPayload = 40;
        const found = [];
        for (let start = 0; start < stream.length; start += cut)
          found.push(...reader.push(stream.subarray(start, start + cut)));
        assert.deepEqual(found, given);
      }),
    );
  });

  it("MALFORMED_INPUT: a payload beyond the bound, before memory is taken for it", () => {
    const reader = new FrameReader();
    reader.mostPayload = 40;
    const [prefix] = encodeFrame({}, [new Uint8Array(41)]);
    assert.throws(() => reader.push(prefix as Uint8Array), { code: "MALFORMED_INPUT", message: /41 bytes/ });
  });

  it("MALFORMED_INPUT: a header beyond the bound, or that is no JSON", () => {
    const prefix = new Uint8Array(12);
    new DataView(prefix.buffer).setUint32(0, MOST_HEADER_BYTES + 1, true);
    assert.throws(() => new FrameReader().push(prefix), { code: "MALFORMED_INPUT" });
    const stream = concatBytes(...encodeFrame({}, []));
    stream[12] = 0xff;
    assert.throws(() => new FrameReader().push(stream), { code: "MALFORMED_INPUT", message: /JSON/ });
  });
});
