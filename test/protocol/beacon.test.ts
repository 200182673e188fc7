// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hashChain, isInvited } from "../../src/protocol/beacon.ts";
import { fromHex, type Hex, toHex, utf8 } from "../../src/protocol/bytes.ts";
import { keccak256 } from "../../src/protocol/hash.ts";

// The beacon's and the draw's values are shared vectors (test/contracts/vectors.test.ts); here is what they must satisfy.
describe("hashChain", () => {
  const chain = hashChain(utf8("secret"), 7n, 10);
  it("has its length in preimages: each entry is the hash of the next", () => {
    assert.equal(chain.length, 11);
    for (let i = 0; i < 10; i++) assert.equal(chain[i], toHex(keccak256(fromHex(chain[i + 1] as Hex))), `entry ${i}`);
  });
  it("is the same from the same secret and run, and another for another secret or run", () => {
    assert.deepEqual(hashChain(utf8("secret"), 7n, 10), chain);
    const firsts = [chain, hashChain(utf8("secret"), 8n, 10), hashChain(utf8("Secret"), 7n, 10)].map(([e]) => e);
    assert.equal(new Set(firsts).size, 3);
  });
  it("a longer chain of the same secret ends in the same last preimage", () => {
    assert.deepEqual(hashChain(utf8("secret"), 7n, 12).slice(2), chain);
    assert.equal(hashChain(utf8("secret"), 7n, 0).length, 1);
  });
});

describe("isInvited", () => {
  const beaconOf = (i: number) => toHex(keccak256(utf8(`beacon ${i}`)));
  it("invites everyone when the cohort is at least the active members", () => {
    for (const cohort of [20, 21, 4_294_967_295])
      for (let member = 1; member <= 20; member++) assert.ok(isInvited(beaconOf(0), member, cohort, 20));
  });
  it("invites nobody into a cohort of 0", () => {
    for (let member = 1; member <= 20; member++) assert.ok(!isInvited(beaconOf(0), member, 0, 20));
  });
  it("keeps whom it invited when the cohort grows", () => {
    for (let member = 1; member <= 50; member++) {
      const from = Array.from({ length: 20 }, (_, k) => isInvited(beaconOf(1), member, k + 1, 20)).indexOf(true);
      for (let k = from + 1; k <= 20; k++) assert.ok(isInvited(beaconOf(1), member, k, 20), `member ${member}, K ${k}`);
    }
  });
  it("invites each member in cohort/active of the rounds, within five standard deviations", () => {
    const rounds = 1_000;
    for (const member of [1, 2, 19]) {
      let invited = 0;
      for (let i = 0; i < rounds; i++) if (isInvited(beaconOf(i), member, 5, 20)) invited += 1;
      const deviation = Math.sqrt(rounds * 0.25 * 0.75);
      assert.ok(Math.abs(invited - rounds * 0.25) < 5 * deviation, `member ${member}: ${invited} of ${rounds}`);
    }
  });
});
