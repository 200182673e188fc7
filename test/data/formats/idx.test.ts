// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseIdx } from "../../../src/data/formats/idx.ts";
import { idx } from "../support/files.ts";

const GOOD = idx([2, 3], [1, 2, 3, 4, 5, 255]);

/** The good file with one thing changed. */
function damaged(change: (bytes: Buffer) => Buffer | undefined): Buffer {
  const bytes = Buffer.from(GOOD);
  return change(bytes) ?? bytes;
}

describe("IDX", () => {
  it("shape and values, also when the bytes are a view into others", () => {
    assert.deepEqual(parseIdx(GOOD, "a"), { shape: [2, 3], values: GOOD.subarray(12) });
    const inside = Buffer.concat([Buffer.from([7, 7, 7]), GOOD]).subarray(3);
    assert.deepEqual([...parseIdx(inside, "a").values], [1, 2, 3, 4, 5, 255]);
  });

  const damages: Record<string, Buffer> = {
    "first bytes": damaged((b) => void b.writeUInt8(1, 0)),
    "type of floats": damaged((b) => void b.writeUInt8(0x0d, 2)),
    "no dimensions": damaged((b) => void b.writeUInt8(0, 3)),
    "255 dimensions": damaged((b) => void b.writeUInt8(255, 3)),
    "a dimension too large": damaged((b) => void b.writeUInt32BE(0xffffffff, 4)),
    "all dimensions too large": damaged((b) => void b.fill(255, 4, 12)),
    "a byte too many": damaged((b) => Buffer.concat([b, Buffer.from([0])])),
  };
  for (let length = 0; length < GOOD.length; length++) damages[`cut to ${length} bytes`] = GOOD.subarray(0, length);
  for (const [name, bytes] of Object.entries(damages)) {
    it(`BAD_FORMAT: ${name}`, () => {
      assert.throws(() => parseIdx(bytes, "a.idx"), { code: "BAD_FORMAT", message: /a\.idx/ });
    });
  }
});
