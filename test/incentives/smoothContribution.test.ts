// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { smoothContribution } from "../../src/incentives/smoothContribution.ts";

describe("smoothContribution", () => {
  it("takes the first score as it is, then three tenths of each", () => {
    assert.equal(smoothContribution(undefined, -40), -40);
    assert.equal(smoothContribution(100, 200), 130);
    assert.equal(smoothContribution(100, -1), 69);
  });
  it("arrives at a score that repeats, and rounds down", () => {
    let mean = 0;
    for (let round = 0; round < 60; round++) mean = smoothContribution(mean, 1_000);
    assert.ok(mean >= 996 && mean <= 1_000, `${mean}`);
    assert.equal(smoothContribution(-1, 0), -1);
  });
});
