// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";
import { apportion } from "../protocol/largestRemainder.ts";

/** What the chain holds about one member of a run when it settles. */
export interface MemberRecord {
  readonly memberId: number;
  /** C, sum of the member's scores over all rounds, units 2^-20 nats; may be negative. */
  readonly contribution: bigint;
  /** P, rounds in which the member was kept with a positive score. */
  readonly participation: bigint;
}

/**
 * The last place that gets a unit beyond its floor: (remainder, memberId), largest remainder first, then lowest id. The caller of `settle`
 * hands it in; one pass over the members checks that it gives out exactly the missing units.
 */
export interface RewardCutOff {
  readonly remainder: bigint;
  /** 0 (nobody) when the floors already add up; then `remainder` is the divisor, which no remainder reaches. */
  readonly memberId: number;
}

export interface RewardSplit {
  /** In the order of the members; with `refund` they add up to the pool exactly. */
  readonly amounts: readonly bigint[];
  /** What goes back to the sponsor: the whole pool when nobody participated, else 0. */
  readonly refund: bigint;
  readonly contributionCutOff: RewardCutOff;
  readonly participationCutOff: RewardCutOff;
}

/** A part of which nothing is handed out: no remainder is above 0 and nobody has id 0. */
const NO_CUT_OFF: RewardCutOff = { remainder: 0n, memberId: 0 };

/**
 * The `mix` split of a run's reward pool: ⌊ω·Π⌋ by max(C, 0), the rest by P, each part by largest remainder with ties to the lowest id.
 *
 * Without a positive contribution all goes by participation; without participation all goes back to the sponsor. Contributions are
 * cumulative, so a member that did harm first repays it before it earns.
 *
 * @param pool Π in the token's smallest unit.
 * @param omegaQ16 ω, 0 … 65 536.
 * @param members all members of the run, ascending memberId.
 */
export function splitReward(pool: bigint, omegaQ16: number, members: readonly MemberRecord[]): RewardSplit {
  requireInput(pool, omegaQ16, members);
  const contributions = members.map(({ contribution }) => (contribution > 0n ? contribution : 0n));
  const participations = members.map(({ participation }) => participation);
  if (sum(participations) === 0n) {
    return {
      amounts: members.map(() => 0n),
      refund: pool,
      contributionCutOff: NO_CUT_OFF,
      participationCutOff: NO_CUT_OFF,
    };
  }
  const byContribution = sum(contributions) === 0n ? 0n : (BigInt(omegaQ16) * pool) / 65_536n;
  const contributed = splitPart(byContribution, contributions, members);
  const participated = splitPart(pool - byContribution, participations, members);
  return {
    amounts: members.map((_, i) => (contributed.amounts[i] as bigint) + (participated.amounts[i] as bigint)),
    refund: 0n,
    contributionCutOff: contributed.cutOff,
    participationCutOff: participated.cutOff,
  };
}

function splitPart(
  part: bigint,
  shares: readonly bigint[],
  members: readonly MemberRecord[],
): { amounts: readonly bigint[]; cutOff: RewardCutOff } {
  if (part === 0n) return { amounts: shares.map(() => 0n), cutOff: NO_CUT_OFF };
  const { amounts, cutOff } = apportion(part, shares);
  return { amounts, cutOff: { remainder: cutOff.remainder, memberId: members[cutOff.index]?.memberId ?? 0 } };
}

function requireInput(pool: bigint, omegaQ16: number, members: readonly MemberRecord[]): void {
  if (pool < 0n) throw new FoedusError("BAD_SETTLEMENT", `A pool is not negative; got ${pool}.`, { values: { pool } });
  if (!Number.isInteger(omegaQ16) || omegaQ16 < 0 || omegaQ16 > 65_536) {
    throw new FoedusError("BAD_SETTLEMENT", `ω is an integer from 0 to 65536 (Q16); got ${omegaQ16}.`, {
      values: { omegaQ16 },
    });
  }
  let previous = 0;
  for (const { memberId, participation } of members) {
    if (memberId <= previous) {
      throw new FoedusError("BAD_SETTLEMENT", `Members come in ascending id; ${memberId} follows ${previous}.`, {
        values: { memberId, previous },
      });
    }
    if (participation < 0n)
      throw new FoedusError("BAD_SETTLEMENT", `Member ${memberId} has participation ${participation}.`, {
        values: { memberId, participation },
      });
    previous = memberId;
  }
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}
