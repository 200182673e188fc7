// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type MemberRecord, type RewardCutOff, splitReward } from "../../src/incentives/splitReward.ts";

interface SettlementVector {
  name: string;
  pool: string;
  omegaQ16: number;
  members: { id: number; contribution: string; participation: string }[];
  expected: string[];
  refund: string;
  cutoffs: {
    contribution: { remainder: string; memberId: number };
    participation: { remainder: string; memberId: number };
  };
}
const vectors = JSON.parse(readFileSync(new URL("../vectors/settlement.json", import.meta.url), "utf8")) as {
  cases: SettlementVector[];
};

const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);

/** The pass the contract makes: floors, plus a unit where the cut-off says so. */
function bySinglePass(part: bigint, shares: readonly bigint[], ids: readonly number[], cut: RewardCutOff): bigint[] {
  const total = sum(shares);
  if (part === 0n || total === 0n) return shares.map(() => 0n);
  return shares.map((share, i) => {
    const remainder = (part * share) % total;
    const extra = remainder > cut.remainder || (remainder === cut.remainder && (ids[i] as number) <= cut.memberId);
    return (part * share) / total + (extra ? 1n : 0n);
  });
}

const record = fc.record({ contribution: fc.bigInt(-(1n << 40n), 1n << 40n), participation: fc.bigInt(0n, 60n) });
const roster = fc
  .array(fc.oneof(record, fc.constant({ contribution: 0n, participation: 0n })), { minLength: 1, maxLength: 24 })
  .map((records): MemberRecord[] => records.map((one, i) => ({ memberId: 3 * i + 1, ...one })));

describe("splitReward", () => {
  for (const vector of vectors.cases) {
    it(`gives the recorded amounts: ${vector.name}`, () => {
      const members = vector.members.map(({ id, contribution, participation }) => ({
        memberId: id,
        contribution: BigInt(contribution),
        participation: BigInt(participation),
      }));
      const split = splitReward(BigInt(vector.pool), vector.omegaQ16, members);
      assert.deepEqual(split.amounts.map(String), vector.expected);
      assert.equal(String(split.refund), vector.refund);
      const plain = (cut: RewardCutOff): unknown => ({ remainder: String(cut.remainder), memberId: cut.memberId });
      assert.deepEqual(plain(split.contributionCutOff), vector.cutoffs.contribution);
      assert.deepEqual(plain(split.participationCutOff), vector.cutoffs.participation);
    });
  }

  it("pays out the pool exactly, to nobody less than 0, and its cut-offs reproduce it in one pass", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 1n << 128n), fc.integer({ min: 0, max: 65_536 }), roster, (pool, omegaQ16, members) => {
        const split = splitReward(pool, omegaQ16, members);
        assert.equal(sum(split.amounts) + split.refund, pool);
        assert.ok(split.amounts.every((amount) => amount >= 0n));
        if (split.refund > 0n) return;
        const gains = members.map(({ contribution }) => (contribution > 0n ? contribution : 0n));
        const byContribution = sum(gains) === 0n ? 0n : (pool * BigInt(omegaQ16)) / 65_536n;
        const ids = members.map(({ memberId }) => memberId);
        const first = bySinglePass(byContribution, gains, ids, split.contributionCutOff);
        const second = bySinglePass(
          pool - byContribution,
          members.map(({ participation }) => participation),
          ids,
          split.participationCutOff,
        );
        assert.deepEqual(
          split.amounts,
          first.map((amount, i) => amount + (second[i] as bigint)),
        );
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  it("pays more to nobody for a smaller contribution", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 1n << 64n), roster, (pool, members) => {
        const { amounts, refund } = splitReward(pool, 65_536, members);
        if (refund > 0n || !members.some(({ contribution }) => contribution > 0n)) return;
        for (const [i, a] of members.entries()) {
          for (const [j, b] of members.entries())
            if (a.contribution > b.contribution) assert.ok((amounts[i] as bigint) >= (amounts[j] as bigint));
        }
      }),
      { seed: 3, numRuns: 100 },
    );
  });

  it("refuses members out of order, negative pools and an ω above 1", () => {
    const member = (memberId: number): MemberRecord => ({ memberId, contribution: 1n, participation: 1n });
    assert.throws(() => splitReward(1n, 0, [member(2), member(1)]), /1 follows 2/);
    assert.throws(() => splitReward(1n, 0, [member(0)]), /ascending/);
    assert.throws(() => splitReward(-1n, 0, [member(1)]), /not negative/);
    assert.throws(() => splitReward(1n, 65_537, [member(1)]), /65537/);
  });
});
