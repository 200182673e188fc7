// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toHex, utf8 } from "../../src/protocol/bytes.ts";
import { keccak256 } from "../../src/protocol/hash.ts";
import { MAX_MODEL_SIZE, modelLayout, type TensorSpec } from "../../src/protocol/layout.ts";

const WEIGHTS: TensorSpec = { name: "layers.0.weight", shape: [3, 4], fractionBits: 16, group: 0 };
const BIAS: TensorSpec = { name: "layers.0.bias", shape: [4], fractionBits: 20, group: 1 };
const SCALE: TensorSpec = { name: "scale", shape: [], fractionBits: 12, group: 0 };
const digest = (...specs: TensorSpec[]) => toHex(modelLayout(specs).digest);

describe("modelLayout", () => {
  it("lays tensors out in the order they are declared", () => {
    const layout = modelLayout([WEIGHTS, BIAS, SCALE]);
    assert.deepEqual(
      layout.tensors.map(({ name, offset, size }) => ({ name, offset, size })),
      [
        { name: "layers.0.weight", offset: 0, size: 12 },
        { name: "layers.0.bias", offset: 12, size: 4 },
        { name: "scale", offset: 16, size: 1 },
      ],
    );
    assert.deepEqual([layout.size, layout.groups, layout.maxFractionBits], [17, 2, 20]);
  });
  it("has the digest of its canonical JSON (docs/protocol.md, Checkpoint)", () => {
    const text = '[{"fractionBits":16,"group":0,"name":"layers.0.weight","shape":[3,4]}]';
    assert.equal(digest(WEIGHTS), toHex(keccak256(utf8(text))));
  });
  it("ignores keys that a caller added and the order of keys", () => {
    const { name, shape, fractionBits, group } = WEIGHTS;
    assert.equal(digest({ group, fractionBits, shape, name, comment: "x" } as TensorSpec), digest(WEIGHTS));
  });
  it("has another digest when any field, or the order of tensors, changes", () => {
    const digests = [
      digest(WEIGHTS, BIAS),
      digest({ ...WEIGHTS, name: "layers.1.weight" }, BIAS),
      digest({ ...WEIGHTS, shape: [4, 3] }, BIAS),
      digest({ ...WEIGHTS, shape: [12] }, BIAS),
      digest({ ...WEIGHTS, fractionBits: 15 }, BIAS),
      digest(WEIGHTS, { ...BIAS, group: 0 }),
      digest({ ...BIAS, group: 0 }, { ...WEIGHTS, group: 1 }),
      digest({ ...BIAS, group: 0 }, WEIGHTS),
      digest(WEIGHTS),
    ];
    assert.equal(new Set(digests).size, digests.length);
  });
  it("does not follow later changes of the caller's shape", () => {
    const shape = [2];
    const layout = modelLayout([{ ...BIAS, group: 0, shape }]);
    shape[0] = 9;
    assert.deepEqual(layout.tensors[0]?.shape, [2]);
  });
  it("accepts the largest model and the bounds of fraction bits", () => {
    assert.equal(modelLayout([{ ...WEIGHTS, shape: [MAX_MODEL_SIZE] }]).size, MAX_MODEL_SIZE);
    for (const fractionBits of [0, 24])
      assert.equal(modelLayout([{ ...WEIGHTS, fractionBits }]).maxFractionBits, fractionBits);
  });
  const refused: Record<string, readonly TensorSpec[]> = {
    "no tensor": [],
    "more than 65 536 tensors": Array.from({ length: 65_537 }, (_, i) => ({ ...WEIGHTS, name: `t${i}`, shape: [1] })),
    "an empty name": [{ ...WEIGHTS, name: "" }],
    "a name with a space": [{ ...WEIGHTS, name: "a b" }],
    "a name that is not ASCII": [{ ...WEIGHTS, name: "größe" }],
    "a name with a line end": [{ ...WEIGHTS, name: "a\n" }],
    "a name of 201 characters": [{ ...WEIGHTS, name: "a".repeat(201) }],
    "a name that reads as a remainder": [{ ...WEIGHTS, name: "a.remainder" }],
    "a name that reads as a server optimiser's momentum": [{ ...WEIGHTS, name: "a.momentum" }],
    "a name that reads as its variance": [{ ...WEIGHTS, name: "a.variance" }],
    "two tensors of one name": [WEIGHTS, { ...BIAS, name: WEIGHTS.name }],
    "an extent of 0": [{ ...WEIGHTS, shape: [3, 0] }],
    "a negative extent": [{ ...WEIGHTS, shape: [-1, -1] }],
    "a broken extent": [{ ...WEIGHTS, shape: [1.5] }],
    "an extent that is not a number": [{ ...WEIGHTS, shape: [Number.NaN] }],
    "25 fraction bits": [{ ...WEIGHTS, fractionBits: 25 }],
    "negative fraction bits": [{ ...WEIGHTS, fractionBits: -1 }],
    "broken fraction bits": [{ ...WEIGHTS, fractionBits: 0.5 }],
    "a first group that is not 0": [{ ...WEIGHTS, group: 1 }],
    "a group that was left out": [WEIGHTS, { ...BIAS, group: 2 }],
    "a negative group": [{ ...WEIGHTS, group: -1 }],
    "one coordinate too many": [
      { ...WEIGHTS, shape: [MAX_MODEL_SIZE] },
      { ...BIAS, shape: [1] },
    ],
    "a size beyond exact integers": [{ ...WEIGHTS, shape: [94_906_267, 94_906_267, 2] }],
  };
  for (const [what, specs] of Object.entries(refused)) {
    it(`refuses ${what}`, () => assert.throws(() => modelLayout(specs), { code: "BAD_CONFIG" }));
  }
});
