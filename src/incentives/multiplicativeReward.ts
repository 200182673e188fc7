// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";
import { apportion } from "../protocol/largestRemainder.ts";

/** What the laboratory knows of one member when it pays. */
export interface PaidMember {
  /** Sum of scores; a debt stays in it until later scores have repaid it. Any integer unit. */
  readonly contribution: bigint;
  /** Rounds in which the member took part, of `invited`. */
  readonly participated: number;
  readonly invited: number;
}

/** 2^40: participation as an integer. */
const SCALE = 1n << 40n;

/**
 * Rewards proportional to both contribution and participation: s_i = max(φ_i, 0)·π_i, π_i = rounds taken part in / rounds invited to, in whole units by
 * largest remainder; ties to whoever comes first. Where all s are 0 by π, and where those are too nothing is paid: the pool rolls over.
 *
 * For the laboratory, to compare with: runs pay by `splitReward`, which keeps weak members in.
 *
 * @returns amounts in the order of the members; their sum is the pool, or 0.
 * Source: the SPFL paper, eq. 9, reconstructed.
 */
export function multiplicativeReward(pool: bigint, members: readonly PaidMember[]): bigint[] {
  const participation = members.map(({ participated, invited }) => {
    if (
      !(
        Number.isSafeInteger(participated) &&
        Number.isSafeInteger(invited) &&
        participated >= 0 &&
        participated <= invited
      )
    )
      throw new FoedusError("BAD_SETTLEMENT", `${participated} of ${invited} rounds is no participation.`, {
        values: { participated, invited },
      });
    return invited === 0 ? 0n : (SCALE * BigInt(participated)) / BigInt(invited);
  });
  const shares = members.map(({ contribution }, i) =>
    contribution > 0n ? contribution * (participation[i] as bigint) : 0n,
  );
  for (const basis of [shares, participation])
    if (basis.some((share) => share > 0n)) return [...apportion(pool, basis).amounts];
  return members.map(() => 0n);
}
