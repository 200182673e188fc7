// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCifar } from "../../../src/data/formats/cifar.ts";

/** Image i has label i; its first red pixel is 10 + i, its last blue one 20 + i. */
function batch(images: number): Buffer {
  const bytes = Buffer.alloc(images * 3073);
  for (let i = 0; i < images; i++) {
    bytes[i * 3073] = i;
    bytes[i * 3073 + 1] = 10 + i;
    bytes[i * 3073 + 3072] = 20 + i;
  }
  return bytes;
}

describe("CIFAR-10 binary", () => {
  it("labels apart from pixels", () => {
    const { labels, pixels } = parseCifar(batch(3), "a");
    assert.deepEqual([...labels], [0, 1, 2]);
    assert.equal(pixels.length, 3 * 3072);
    assert.deepEqual([pixels[0], pixels[3071], pixels[3072], pixels[3 * 3072 - 1]], [10, 20, 11, 22]);
  });

  it("BAD_FORMAT: nothing, a cut image, a label of 10", () => {
    const refused = { code: "BAD_FORMAT" };
    assert.throws(() => parseCifar(Buffer.alloc(0), "a"), refused);
    assert.throws(() => parseCifar(batch(2).subarray(0, 2 * 3073 - 1), "a"), refused);
    assert.throws(() => parseCifar(batch(11), "a"), refused);
  });
});
