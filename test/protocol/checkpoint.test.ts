// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type Checkpoint,
  type CheckpointFormat,
  checkpointSize,
  decodeCheckpoint,
  encodeCheckpoint,
  modelRoot,
} from "../../src/protocol/checkpoint.ts";
import { chunkRoot } from "../../src/protocol/chunkRoot.ts";
import { MASTER_LIMIT, MASTER_MIN, splitMaster } from "../../src/protocol/grid.ts";
import { modelLayout } from "../../src/protocol/layout.ts";

/** Declared in another order than the file's, which is by name. */
const LAYOUT = modelLayout([
  { name: "weight", shape: [2, 2], fractionBits: 16, group: 0 },
  { name: "bias", shape: [3], fractionBits: 20, group: 0 },
]);
const MASTER = Float64Array.of(0, -32_768, MASTER_MIN, MASTER_LIMIT - 1, 65_536, -1, 123_456_789);
/** A run whose model moves as its rule says, and one whose server optimiser keeps both moments. */
const PLAIN: CheckpointFormat = { layout: LAYOUT, recipe: {} };
const ADAPTIVE: CheckpointFormat = {
  layout: LAYOUT,
  recipe: { serverOptimiser: { name: "fedadam", learningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 0.001 } },
};
const STATE = {
  momentum: Float64Array.of(0, -0.5, 1e-300, 5e-324, -1e17, 0.1, 2),
  variance: Float64Array.of(1e-6, 0, 5e-324, 1e300, 0.25, 3, 1 / 3),
};
const FILE = encodeCheckpoint({ master: MASTER, state: {} }, PLAIN);
const ADAPTIVE_FILE = encodeCheckpoint({ master: MASTER, state: STATE }, ADAPTIVE);
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
    const width = { F64: 8, F32: 4, I16: 2 }[slot.dtype] ?? assert.fail(`type ${slot.dtype}`);
    const count = slot.shape.reduce((product, extent) => product * extent, 1);
    assert.deepEqual(slot.data_offsets, [end, end + width * count], `offsets of ${name}`);
    assert.equal(end % width, 0, `${name} is not aligned`);
    const read = { 8: data.getFloat64, 4: data.getFloat32, 2: data.getInt16 }[width] as typeof data.getFloat64;
    const values = Array.from({ length: count }, (_, i) => read.call(data, end + width * i, true));
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
  it("puts a server optimiser's moments before the model, as float64 tensors by name", () => {
    const tensors = readStrictly(ADAPTIVE_FILE);
    const moments = ["bias.momentum", "bias.variance", "weight.momentum", "weight.variance"];
    assert.deepEqual([...tensors.keys()], [...moments, "bias", "weight", "bias.remainder", "weight.remainder"]);
    for (const { name, shape, offset, size } of LAYOUT.tensors) {
      for (const moment of ["momentum", "variance"] as const) {
        const tensor = tensors.get(`${name}.${moment}`);
        assert.deepEqual([tensor?.dtype, tensor?.shape], ["F64", shape]);
        assert.deepEqual(tensor?.values, [...STATE[moment].subarray(offset, offset + size)]);
      }
    }
    const plain = readStrictly(FILE);
    for (const name of plain.keys()) assert.deepEqual(tensors.get(name)?.values, plain.get(name)?.values, name);
  });
  it("refuses a state that is not the run's", () => {
    const short = { momentum: STATE.momentum, variance: STATE.variance.subarray(1) };
    for (const [state, format] of [
      [{}, ADAPTIVE],
      [{ momentum: STATE.momentum }, ADAPTIVE],
      [short, ADAPTIVE],
      [STATE, PLAIN],
    ] as const)
      assert.throws(() => encodeCheckpoint({ master: MASTER, state }, format), { code: "OFF_GRID" });
  });
  it("refuses a moment that no file may hold", () => {
    for (const [moment, value] of [
      ["momentum", -0],
      ["momentum", Number.NaN],
      ["variance", Number.POSITIVE_INFINITY],
      ["variance", -5e-324],
    ] as const) {
      const state = { ...STATE, [moment]: STATE[moment].with(3, value) };
      assert.throws(() => encodeCheckpoint({ master: MASTER, state }, ADAPTIVE), { code: "OFF_GRID" });
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
    assert.throws(() => encodeCheckpoint({ master: off, state: {} }, PLAIN), { code: "OFF_GRID" });
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
    const python = spawnSync("python3", ["-c", script], { input: ADAPTIVE_FILE, encoding: "utf8" });
    if (python.error !== undefined || python.status === 77) {
      t.skip("python3 with the packages safetensors and numpy is not installed");
      return;
    }
    assert.equal(python.status, 0, python.stderr);
    const types: Record<string, string> = { F64: "float64", F32: "float32", I16: "int16" };
    const expected = [...readStrictly(ADAPTIVE_FILE)].map(([name, { dtype, shape, values }]) => [
      name,
      [types[dtype], shape, values],
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
          const file = encodeCheckpoint({ master, state: {} }, PLAIN);
          assert.equal(file.length, checkpointSize(PLAIN));
          assert.deepEqual(decodeCheckpoint(file, PLAIN), { master, state: {} });
        },
      ),
      { seed: 25, numRuns: 100 },
    );
  });
  it("gives back every state", () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0);
    const seven = { minLength: 7, maxLength: 7 };
    fc.assert(
      fc.property(fc.array(finite, seven), fc.array(finite.map(Math.abs), seven), (momentum, variance) => {
        const state = { momentum: Float64Array.from(momentum), variance: Float64Array.from(variance) };
        const file = encodeCheckpoint({ master: MASTER, state }, ADAPTIVE);
        assert.equal(file.length, checkpointSize(ADAPTIVE));
        assert.deepEqual(decodeCheckpoint(file, ADAPTIVE), { master: MASTER, state });
      }),
      { seed: 26, numRuns: 100 },
    );
  });
  it("reads a file that lies inside a larger buffer, at any alignment", () => {
    const buffer = new Uint8Array(FILE.length + 3);
    buffer.set(FILE, 3);
    assert.deepEqual(decodeCheckpoint(buffer.subarray(3), PLAIN), { master: MASTER, state: {} });
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
      { master: MASTER, state: {} },
      {
        layout: modelLayout([
          { name: "weighs", shape: [2, 2], fractionBits: 16, group: 0 },
          { name: "bias", shape: [3], fractionBits: 20, group: 0 },
        ]),
        recipe: {},
      },
    ),
    "the file of a run with a server optimiser": ADAPTIVE_FILE,
  };
  for (const [what, file] of Object.entries(malformed)) {
    it(`refuses ${what}`, () => assert.throws(() => decodeCheckpoint(file, PLAIN), { code: "MALFORMED_INPUT" }));
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
    it(`refuses ${what}`, () => assert.throws(() => decodeCheckpoint(file, PLAIN), { code: "OFF_GRID" }));
  }

  // The data of the adaptive file begins with bias.momentum, 3 values, and bias.variance, 3 values.
  const ADAPTIVE_DATA = 8 + Number(view(ADAPTIVE_FILE).getBigUint64(0, true));
  const states: Record<string, [at: number, value: number]> = {
    "a momentum of −0": [0, -0],
    "a NaN momentum": [8, Number.NaN],
    "an infinite momentum": [16, Number.NEGATIVE_INFINITY],
    "a variance of −0": [24, -0],
    "a negative variance": [32, -1],
    "an infinite variance": [40, Number.POSITIVE_INFINITY],
  };
  for (const [what, [at, value]] of Object.entries(states)) {
    it(`refuses ${what}`, () => {
      const file = ADAPTIVE_FILE.slice();
      view(file).setFloat64(ADAPTIVE_DATA + at, value, true);
      assert.throws(() => decodeCheckpoint(file, ADAPTIVE), { code: "OFF_GRID" });
    });
  }
  it("refuses a file without the state that the run's server optimiser needs, and with less of it", () => {
    assert.throws(() => decodeCheckpoint(FILE, ADAPTIVE), { code: "MALFORMED_INPUT" });
    const momentumOnly: CheckpointFormat = {
      layout: LAYOUT,
      recipe: { serverOptimiser: { name: "fedavgm", learningRate: 1, momentum: 0.9 } },
    };
    const less = encodeCheckpoint({ master: MASTER, state: { momentum: STATE.momentum } }, momentumOnly);
    assert.throws(() => decodeCheckpoint(less, ADAPTIVE), { code: "MALFORMED_INPUT" });
  });

  for (const [what, honest, format] of [
    ["model", FILE, PLAIN],
    ["model and state", ADAPTIVE_FILE, ADAPTIVE],
  ] as const) {
    it(`takes no change of a single bit for the same ${what}`, () => {
      const data = 8 * (8 + Number(view(honest).getBigUint64(0, true)));
      for (let bit = 0; bit < 8 * honest.length; bit++) {
        const file = honest.slice();
        file[bit >> 3] = (file[bit >> 3] as number) ^ (1 << (bit & 7));
        let checkpoint: Checkpoint;
        try {
          checkpoint = decodeCheckpoint(file, format);
        } catch {
          continue;
        }
        assert.ok(bit >= data, `bit ${bit} of the header is not checked`);
        assert.deepEqual(encodeCheckpoint(checkpoint, format), file, `bit ${bit} has two spellings`);
      }
    });
  }
});

describe("modelRoot", () => {
  it("is the chunk root of the file", () => assert.deepEqual(modelRoot(FILE), chunkRoot(FILE)));
});
