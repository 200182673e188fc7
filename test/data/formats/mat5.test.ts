// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DataError } from "../../../src/data/errors.ts";
import { type MatArray, parseMat } from "../../../src/data/formats/mat5.ts";
import { bytesOf, type MatVariable, mat, matArray, matCompressed, matElement, matHeader } from "../support/files.ts";

const MAX = 10_000;
const parse = (file: Uint8Array, maxBytes = MAX): ReadonlyMap<string, MatArray> => parseMat(file, "a.mat", maxBytes);
const fileOf = (...elements: readonly Uint8Array[]): Buffer => Buffer.concat([matHeader(), ...elements]);

const CUBE: MatVariable = { name: "X", shape: [2, 1, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
const COLUMN: MatVariable = {
  name: "labels",
  shape: [2, 1],
  type: 9,
  kind: 6,
  data: bytesOf(Float64Array.of(10, -0.5)),
};

describe("MAT-files of level 5", () => {
  it("arrays by name, compressed and not, column-major, in the type they are stored in", () => {
    for (const file of [mat(CUBE, COLUMN), fileOf(matArray(CUBE), matArray(COLUMN))]) {
      const arrays = parse(file);
      assert.deepEqual([...arrays.keys()], ["X", "labels"]);
      assert.deepEqual(arrays.get("X"), { shape: [2, 1, 3], values: Uint8Array.of(1, 2, 3, 4, 5, 6) });
      assert.deepEqual(arrays.get("labels"), { shape: [2, 1], values: Float64Array.of(10, -0.5) });
    }
  });

  it("small elements, values at an odd place, empty arrays, a class larger than its values' type", () => {
    const small = { name: "y", shape: [3, 1], kind: 6, data: Uint8Array.of(7, 8, 9) };
    const empty = { name: "empty", shape: [0, 5], data: new Uint8Array() };
    const file = Buffer.concat([Buffer.alloc(1), mat(small, empty)]).subarray(1);
    assert.deepEqual([...(parse(file).get("y")?.values ?? [])], [7, 8, 9]);
    assert.deepEqual(parse(file).get("empty"), { shape: [0, 5], values: new Uint8Array() });
    assert.equal(parse(matHeader()).size, 0);
  });

  it("every stored type", () => {
    for (const [type, values] of [
      [1, Int8Array.of(-3, 100)],
      [3, Int16Array.of(-3, 30_000)],
      [4, Uint16Array.of(3, 60_000)],
      [5, Int32Array.of(-3, 2 ** 30)],
      [6, Uint32Array.of(3, 2 ** 31)],
      [7, Float32Array.of(-3, 0.5)],
    ] as const)
      assert.deepEqual(
        parse(mat({ name: "v", shape: [1, 2], type, kind: 6, data: bytesOf(values) })).get("v")?.values,
        values,
      );
  });

  const changed = (at: number, value: number): Buffer => {
    const file = Buffer.from(fileOf(matArray(CUBE)));
    file[at] = value;
    return file;
  };
  const corrupt = mat(CUBE);
  corrupt[corrupt.length - 1] = (corrupt[corrupt.length - 1] as number) ^ 1;
  const matrixOf = (...parts: readonly Uint8Array[]): Buffer => fileOf(matElement(14, Buffer.concat(parts)));
  const flags = matElement(6, Buffer.from([9, 0, 0, 0, 0, 0, 0, 0]));
  const sizes = matElement(5, bytesOf(Int32Array.of(1, 1)));

  const refusals: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["a cut header", matHeader().subarray(0, 127), /127 bytes/],
    ["no mark of the byte order, as in level 4", Buffer.alloc(200), /mark of its byte order/],
    ["big-endian", matHeader(0x0100, "MI"), /big-endian/],
    ["HDF5", matHeader(0x0200), /0x200.*HDF5/],
    ["a cut tag", fileOf(Buffer.from([14, 0, 0, 0])), /at byte 128 is cut off/],
    ["a cut array", fileOf(matArray(CUBE)).subarray(0, -8), /cut off/],
    ["a length past the end", changed(132, 255), /cut off/],
    ["a small element of five bytes", fileOf(Buffer.from([1, 0, 5, 0, 0, 0, 0, 0])), /5 bytes/],
    ["numbers outside an array", fileOf(matElement(5, Buffer.alloc(8))), /type 5 stands where/],
    ["a damaged stream", corrupt, /compressed element is damaged/],
    [
      "a cut stream",
      fileOf(matElement(15, matCompressed(matArray(CUBE)).subarray(8, -5))),
      /compressed element is damaged/,
    ],
    [
      "a stream of two arrays",
      fileOf(matCompressed(Buffer.concat([matArray(CUBE), matArray(COLUMN)]))),
      /more than one array/,
    ],
    ["a stream in a stream", fileOf(matCompressed(matCompressed(matArray(CUBE)))), /type 15 stands where/],
    ["the same name twice", mat(CUBE, CUBE), /two arrays X/],
    ["65 arrays", mat(...Array.from({ length: 65 }, (_, i) => ({ ...CUBE, name: `v${i}` }))), /more than 64/],
    ["a structure", mat({ ...CUBE, kind: 2 }), /X is of class 2/],
    ["text", mat({ ...CUBE, kind: 4 }), /class 4/],
    ["64-bit integers", mat({ ...CUBE, kind: 14 }), /class 14/],
    ["complex numbers", mat({ ...CUBE, flags: 8 }), /X is complex/],
    [
      "values of 64-bit integers",
      mat({ ...CUBE, kind: 6, type: 12, data: Buffer.alloc(48) }),
      /values of X are of type 12/,
    ],
    [
      "a shape that does not fill the values",
      mat({ ...CUBE, shape: [2, 1, 4] }),
      /\(2, 1, 4\) of X does not fill 6 bytes/,
    ],
    ["a huge shape", mat({ ...CUBE, shape: new Array(8).fill(2 ** 31 - 1) }), /does not fill/],
    ["negative sizes", mat({ ...CUBE, shape: [-2, -3] }), /\(-2, -3\)/],
    ["one dimension", mat({ ...CUBE, shape: [6] }), /1 dimensions/],
    ["nine dimensions", mat({ ...CUBE, shape: [6, 1, 1, 1, 1, 1, 1, 1, 1] }), /9 dimensions/],
    ["no flags", matrixOf(sizes), /flags are of type 5/],
    ["cut flags", matrixOf(matElement(6, Buffer.alloc(4))), /4 bytes of flags/],
    ["no dimensions", matrixOf(flags, flags), /dimensions are of type 6/],
    ["no name", matrixOf(flags, sizes, sizes), /names are of type 5/],
    ["no values", matrixOf(flags, sizes, matElement(1, Buffer.from("X"), true)), /cut off/],
  ];
  for (const [what, file, message] of refusals)
    it(`BAD_FORMAT: ${what}`, () => {
      assert.throws(() => parse(file), { name: "DataError", code: "BAD_FORMAT", message });
    });

  it("TOO_LARGE: by one stream before it is inflated whole, and by all arrays together", () => {
    const zeros: MatVariable = { name: "zeros", shape: [1, 1_000_000], data: new Uint8Array(1_000_000) };
    const tooLarge = { name: "DataError", code: "TOO_LARGE", message: /more than 10000 bytes/ };
    assert.throws(() => parse(mat(zeros)), tooLarge);
    assert.throws(() => parse(fileOf(matArray(zeros))), tooLarge);
    const half: MatVariable = { name: "a", shape: [1, 6000], data: new Uint8Array(6000) };
    assert.equal(parse(mat(half)).size, 1);
    assert.throws(() => parse(mat(half, { ...half, name: "b" })), tooLarge);
  });

  it("nothing but a DataError, whatever a byte is changed to or where the file is cut", () => {
    const files = [mat(CUBE, COLUMN), fileOf(matArray(CUBE), matArray(COLUMN))];
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        fc.boolean(),
        (whole, place, byte, cut) => {
          const at = place % whole.length;
          const file = Buffer.from(cut ? whole.subarray(0, at) : whole);
          if (!cut) file[at] = byte;
          try {
            parse(file);
          } catch (error) {
            assert.ok(error instanceof DataError, String(error));
          }
        },
      ),
      { numRuns: 2000, seed: 5 },
    );
  });
});
