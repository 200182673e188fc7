// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { nextReputation, REPUTATION_ONE } from "../../src/protocol/reputation.ts";

const vectors = JSON.parse(readFileSync(new URL("../vectors/reputation.json", import.meta.url), "utf8")) as {
  cases: { reputation: number; alphaQ16: number; kept: boolean; expected: number }[];
};

describe("nextReputation", () => {
  for (const { reputation, alphaQ16, kept, expected } of vectors.cases) {
    it(`${reputation} with α ${alphaQ16}, ${kept ? "kept" : "not kept"}, becomes ${expected}`, () => {
      assert.equal(nextReputation(reputation, alphaQ16, kept), expected);
    });
  }

  it("stays within [0, 1] and moves towards what the round said", () => {
    for (let r = 0; r <= REPUTATION_ONE; r += 257) {
      for (const alpha of [0, 1, 32_768, 58_982, 65_535, 65_536]) {
        const up = nextReputation(r, alpha, true);
        const down = nextReputation(r, alpha, false);
        assert.ok(up >= r && up <= REPUTATION_ONE && down >= 0 && down <= r, `${r} ${alpha}: ${down} ${up}`);
      }
    }
  });

  it("a kept update has a positive reputation unless α is 1, so rules can weigh by it", () => {
    assert.equal(nextReputation(0, 65_535, true), 1);
    assert.equal(nextReputation(0, 65_536, true), 0);
  });

  it("refuses what is not Q16", () => {
    assert.throws(() => nextReputation(65_537, 0, true), /65537/);
    assert.throws(() => nextReputation(1.5, 0, true), /1\.5/);
    assert.throws(() => nextReputation(1, -1, true), /-1/);
  });
});
