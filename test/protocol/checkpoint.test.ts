// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import fc from "fast-check";
import { checkpointSize, decodeCheckpoint, encodeCheckpoint, modelRoot } from "../../src/protocol/checkpoint.ts";
import { chunkRoot } from "../../src/protocol/chunkRoot.ts";
import { MASTER_LIMIT, MASTER_MIN, splitMaster } from "../../src/protocol/grid.ts";
import { modelLayout } from "../../src/protocol/layout.ts";

/** Declared in another order than the file's, which is by name. */
const LAYOUT = modelLayout([
  { name: "weight", shape: [2, 2], fractionBits: 16, group: 0 },
  { name: "bias", shape: [3], fractionBits: 20, group: 0 },
]);
const MASTER = Float64Array.of(0, -32_768, MASTER_MIN, MASTER_LIMIT - 1, 65_536, -1, 123_456_789);
const FILE = encodeCheckpoint(MASTER, LAYOUT);
const view = (file: Uint8Array) => new DataView(file.buffer, file.byteOffset, file.byteLength);
const HEADER_LENGTH = Number(view(FILE).getBigUint64(0, true));
const DATA = 8 + HEADER_LENGTH;

interface Slot {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/**
 * What the safetensors library demands of a file before it opens it: header length within the file, UTF-8 JSON that begins with "{", known
 * types, tensors that fill the data without gap or overlap, sizes that follow from shape and type, and nothing behind the last tensor.
 * https://github.com/huggingface/safetensors#format
 */
function readStrictly(file: Uint8Array): Map<string, Slot & { readonly values: number[] }> {
  assert.ok(file.length >= 8, "too short for a header length");
  const length = view(file).getBigUint64(0, true);
  assert.ok(length <= 100_000_000n && 8n + length <= BigInt(file.length), "header length");
  assert.equal(length % 8n, 0n, "data is not aligned");
  const header = file.subarray(8, 8 + Number(length));
  assert.equal(header[0], 0x7b, "the header must begin with {");
  const slots = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(header)) as Record<string, Slot>;
  const data = view(file.subarray(8 + Number(length)));
  const tensors = new Map<string, Slot & { values: number[] }>();
  let end = 0;
  for (const [name, slot] of Object.entries(slots).sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0])) {
    const width = slot.dtype === "F32" ? 4 : slot.dtype === "I16" ? 2 : assert.fail(`type ${slot.dtype}`);
    const count = slot.shape.reduce((product, extent) => product * extent, 1);
    assert.deepEqual(slot.data_offsets, [end, end + width * count], `offsets of ${name}`);
    const values = Array.from({ length: count }, (_, i) =>
      width === 4 ? data.getFloat32(end + 4 * i, true) : data.getInt16(end + 2 * i, true),
    );
    tensors.set(name, { ...slot, values });
    end += width * count;
  }
  assert.equal(end, data.byteLength, "bytes behind the last tensor");
  return tensors;
}

describe("encodeCheckpoint", () => {
  it("writes a file that a strict reader of safetensors opens", () => {
    const parts = splitMaster(MASTER, LAYOUT);
    const tensors = readStrictly(FILE);
    // All float tensors by name, then all remainders by name.
    assert.deepEqual([...tensors.keys()], ["bias", "weight", "bias.remainder", "weight.remainder"]);
    for (const { name, shape, offset, size } of LAYOUT.tensors) {
      const floats = tensors.get(name);
      const remainders = tensors.get(`${name}.remainder`);
      assert.deepEqual([floats?.dtype, floats?.shape], ["F32", shape]);
      assert.deepEqual(floats?.values, [...parts.view.subarray(offset, offset + size)]);
      assert.deepEqual([remainders?.dtype, remainders?.shape], ["I16", shape]);
      assert.deepEqual(remainders?.values, [...parts.remainder.subarray(offset, offset + size)]);
    }
  });
  it("writes the header of docs/protocol.md, byte for byte", () => {
    const json =
      '{"bias":{"data_offsets":[0,12],"dtype":"F32","shape":[3]},' +
      '"bias.remainder":{"data_offsets":[28,34],"dtype":"I16","shape":[3]},' +
      '"weight":{"data_offsets":[12,28],"dtype":"F32","shape":[2,2]},' +
      '"weight.remainder":{"data_offsets":[34,42],"dtype":"I16","shape":[2,2]}}';
    const padded = json.padEnd(Math.ceil(json.length / 8) * 8, " ");
    assert.equal(new TextDecoder().decode(FILE.subarray(8, DATA)), padded);
    assert.equal(FILE.length, 8 + padded.length + 42);
  });
  it("refuses a master off the grid", () => {
    const off = MASTER.slice();
    off[3] = MASTER_LIMIT;
    assert.throws(() => encodeCheckpoint(off, LAYOUT), { code: "OFF_GRID" });
  });
  // Such a key sets the prototype of a plain object, so the tensor is missing from the header and the data has a gap.
  it("has no tensor called __proto__, whose entry an object would swallow", () => {
    assert.throws(
      () => modelLayout([{ name: "__proto__", shape: [1], fractionBits: 0, group: 0 }]),
      /__proto__.*not allowed/,
    );
  });
  it("is opened by the safetensors library of Python with the same values", (t) => {
    const script =
      "import json,sys\ntry:\n  from safetensors.numpy import load\nexcept ImportError:\n  sys.exit(77)\n" +
      "print(json.dumps({k:[str(v.dtype),list(v.shape),v.flatten().tolist()] for k,v in load(sys.stdin.buffer.read()).items()}))";
    const python = spawnSync("python3", ["-c", script], { input: FILE, encoding: "utf8" });
    if (python.error !== undefined || python.status === 77) {
      t.skip("python3 with the packages safetensors and numpy is not installed");
      return;
    }
    assert.equal(python.status, 0, python.stderr);
    const expected = [...readStrictly(FILE)].map(([name, { dtype, shape, values }]) => [
      name,
      [dtype === "F32" ? "float32" : "int16", shape, values],
    ]);
    assert.deepEqual(JSON.parse(python.stdout), Object.fromEntries(expected));
  });
});

describe("decodeCheckpoint", () => {
  it("gives back every master model", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: MASTER_MIN, max: MASTER_LIMIT - 1 }), { minLength: 7, maxLength: 7 }),
        (values) => {
          const master = Float64Array.from(values, (m) => m + 0);
          const file = encodeCheckpoint(master, LAYOUT);
          assert.equal(file.length, checkpointSize(LAYOUT));
          assert.deepEqual(decodeCheckpoint(file, LAYOUT), master);
        },
      ),
      { seed: 25, numRuns: 100 },
    );
  });
  it("reads a file that lies inside a larger buffer, at any alignment", () => {
    const buffer = new Uint8Array(FILE.length + 3);
    buffer.set(FILE, 3);
    assert.deepEqual(decodeCheckpoint(buffer.subarray(3), LAYOUT), MASTER);
  });

  /** The file with one thing changed. */
  const damaged = (change: (file: Uint8Array, data: DataView) => void): Uint8Array => {
    const file = FILE.slice();
    change(file, view(file));
    assert.notDeepEqual(file, FILE, "the damage must change the file");
    return file;
  };
  const malformed: Record<string, Uint8Array> = {
    "a changed byte of the header": damaged((file) => {
      file[10] = 0x63;
    }),
    "padding that is not a space": damaged((file) => {
      assert.equal(file[DATA - 1], 0x20, "this layout has padding");
      file[DATA - 1] = 0x0a;
    }),
    "another header length": damaged((_, data) => data.setBigUint64(0, BigInt(HEADER_LENGTH - 8), true)),
    "a header length beyond the file": damaged((_, data) => data.setBigUint64(0, 1n << 63n, true)),
    "a missing byte": FILE.subarray(0, -1),
    "a byte too many": Uint8Array.of(...FILE, 0),
    "an empty file": new Uint8Array(0),
    "the file of another layout": encodeCheckpoint(
      MASTER,
      modelLayout([
        { name: "weighs", shape: [2, 2], fractionBits: 16, group: 0 },
        { name: "bias", shape: [3], fractionBits: 20, group: 0 },
      ]),
    ),
  };
  for (const [what, file] of Object.entries(malformed)) {
    it(`refuses ${what}`, () => assert.throws(() => decodeCheckpoint(file, LAYOUT), { code: "MALFORMED_INPUT" }));
  }

  // The first value of the data is bias[0], F = 20; weight[0] follows the 12 bytes of bias.
  const offGrid: Record<string, Uint8Array> = {
    "a view of −0": damaged((_, data) => data.setFloat32(DATA + 12, -0, true)),
    "a NaN view": damaged((_, data) => data.setFloat32(DATA, Number.NaN, true)),
    "an infinite view": damaged((_, data) => data.setFloat32(DATA, Number.NEGATIVE_INFINITY, true)),
    "a view between grid points": damaged((_, data) => data.setFloat32(DATA, 1 / 2_097_152, true)),
    "a view above the range": damaged((_, data) => data.setFloat32(DATA, 16, true)),
    "a remainder that leads below the range": damaged((_, data) => data.setInt16(DATA + 34 + 4, -1, true)),
  };
  for (const [what, file] of Object.entries(offGrid)) {
    it(`refuses ${what}`, () => assert.throws(() => decodeCheckpoint(file, LAYOUT), { code: "OFF_GRID" }));
  }

  it("takes no change of a single bit for the same model", () => {
    for (let bit = 0; bit < 8 * FILE.length; bit++) {
      const file = FILE.slice();
      file[bit >> 3] = (file[bit >> 3] as number) ^ (1 << (bit & 7));
      let master: Float64Array;
      try {
        master = decodeCheckpoint(file, LAYOUT);
      } catch {
        continue;
      }
      assert.ok(bit >= 8 * DATA, `bit ${bit} of the header is not checked`);
      assert.deepEqual(encodeCheckpoint(master, LAYOUT), file, `bit ${bit} has two spellings`);
    }
  });
});

describe("modelRoot", () => {
  it("is the chunk root of the file", () => assert.deepEqual(modelRoot(FILE), chunkRoot(FILE)));
});
