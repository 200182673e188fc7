// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Readers } from "../../bench/peers/readers.ts";

describe("the readers", () => {
  it("read what they are asked to, whole lines of it, with one thread and with several, again and again", async () => {
    const readers = await Readers.open(1_000_000, 3);
    try {
      for (const threads of [1, 2, 3, 1, 3]) {
        assert.equal(readers.read(20, 6_400, 7, threads, 64), 20 * 6_400);
        assert.equal(readers.read(20, 6_450, 8, threads, 65_536), 20 * 6_400);
        assert.equal(readers.read(1, 500_000, 1, threads, 500_000), 499_968);
      }
    } finally {
      await readers.close();
    }
  });

  it("refuse what their buffer does not hold", async () => {
    const readers = await Readers.open(100_000, 1);
    try {
      assert.throws(() => readers.read(20, 6_400, 0, 1, 64), /100000 bytes/);
    } finally {
      await readers.close();
    }
  });
});
