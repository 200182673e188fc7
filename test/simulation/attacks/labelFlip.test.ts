// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { labelFlip } from "../../../src/simulation/attacks/labelFlip.ts";
import { configOf } from "./fixtures.ts";

const shard = (labels: number[], classes = 10) => ({
  features: new Float32Array(labels.length),
  labels: Int32Array.from(labels),
  inputs: 1,
  classes,
  size: labels.length,
});
const random = keyedRandom("label flip");
const flipped = (flip: unknown, labels: number[], share = 1): number[] =>
  Array.from(labelFlip(configOf("label-flip", { flip, share }), shard(labels), random).labels);

describe("label flip", () => {
  it("mirrors: label 3 of 10 classes becomes 6", () => {
    assert.deepEqual(flipped("mirror", [3, 0, 9]), [6, 9, 0]);
  });

  it("takes the next label, another at random, or one for another", () => {
    assert.deepEqual(flipped("next", [3, 9]), [4, 0]);
    const labels = Array.from({ length: 200 }, (_, i) => i % 10);
    const others = flipped("random", labels);
    for (const [i, label] of others.entries()) assert.notEqual(label, labels[i]);
    assert.equal(new Set(others).size, 10);
    assert.deepEqual(flipped({ from: 7, to: 1 }, [7, 2, 7]), [1, 2, 1]);
  });

  it("flips ⌊share·n⌋ labels, the same every time, and leaves the shard it was given alone", () => {
    const labels = new Array<number>(25).fill(2);
    const once = flipped("mirror", labels, 0.3);
    assert.equal(once.filter((label) => label === 7).length, 7);
    assert.deepEqual(flipped("mirror", labels, 0.3), once);
    const own = shard([1]);
    labelFlip(configOf("label-flip"), own, random);
    assert.deepEqual([...own.labels], [1]);
  });

  it("refuses a label that does not exist", () => {
    assert.throws(() => flipped({ from: 1, to: 10 }, [1]), { code: "BAD_CONFIG" });
  });
});
