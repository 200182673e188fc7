// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseLeafImages } from "../../../src/data/formats/leafJson.ts";

const parse = (content: unknown) =>
  parseLeafImages(typeof content === "string" ? content : JSON.stringify(content), "a.json", 2, 62);
const file = {
  users: ["f1", "f2"],
  num_samples: [2, 0],
  user_data: {
    f1: {
      x: [
        [0, 1],
        [51 / 255, 254 / 255],
      ],
      y: [61, 0],
    },
    f2: { x: [], y: [] },
    dropped: { x: [], y: [] },
  },
  hierarchies: ["a", "b"],
};

describe("LEAF's images by user", () => {
  it("bytes and labels of the users that are listed", () => {
    assert.deepEqual(parse(file), [
      { user: "f1", pixels: Uint8Array.of(0, 255, 51, 254), labels: Uint8Array.of(61, 0) },
      { user: "f2", pixels: new Uint8Array(), labels: new Uint8Array() },
    ]);
  });

  const own = (x: unknown, y: unknown): unknown => ({
    ...file,
    users: ["f1"],
    num_samples: [1],
    user_data: { f1: { x, y } },
  });
  for (const [what, content, message] of [
    ["another structure", { users: ["f1"] }, /a\.json, num_samples/],
    ["a list", [], /the whole/],
    ["counts of other users", { ...file, num_samples: [2] }, /2 users and 1 numbers/],
    ["a count below the samples", { ...file, num_samples: [1, 0] }, /f1 should have 1 samples, and has 2 images/],
    ["a user without samples", { ...file, users: ["f1", "f3"] }, /f3 should have 0 samples, and has no images/],
    ["a name that every object has", { ...file, users: ["f1", "toString"] }, /toString should have/],
    ["labels of another count", own([[0, 0]], [1, 2]), /1 images and 2 labels/],
    ["a label of 62", own([[0, 0]], [62]), /user_data\.f1\.y\.0/],
    ["a label that is no number", own([[0, 0]], ["1"]), /user_data\.f1\.y\.0/],
    ["three pixels", own([[0, 0, 0]], [1]), /user_data\.f1\.x\.0: not an image of 2 pixels/],
    ["a pixel of 255", own([[0, 255]], [1]), /x\.0: not an image/],
    ["a pixel of half a step", own([[0, 0.5 / 255]], [1]), /x\.0: not an image/],
    ["a pixel that is no number", own([[0, null]], [1]), /x\.0: not an image/],
  ] as const)
    it(`BAD_ROW: ${what}`, () => {
      assert.throws(() => parse(content), { name: "DataError", code: "BAD_ROW", message });
    });

  it("BAD_FORMAT: cut JSON", () => {
    assert.throws(() => parse(JSON.stringify(file).slice(0, -1)), {
      code: "BAD_FORMAT",
      message: /a\.json is not JSON/,
    });
  });
});
