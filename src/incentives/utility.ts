// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";

/** v(S) for a non-empty coalition, an integer in 2^-20 nats. Asked at most once per coalition. */
export type Utility = (coalition: bigint) => Promise<number | bigint>;

const INT32_MAX = 2_147_483_647n;
const INT32_MIN = -2_147_483_648n;

/** Utilities by coalition, each asked once: prefixes repeat often, most of all the short and the long ones. */
export function askedOnce(utility: Utility): {
  readonly utilityOf: (coalition: bigint) => Promise<bigint>;
  /** Coalitions asked so far. */
  readonly asked: () => number;
} {
  const values = new Map<bigint, bigint>();
  const utilityOf = async (coalition: bigint): Promise<bigint> => {
    let value = values.get(coalition);
    if (value === undefined) {
      value = exactInteger(await utility(coalition), coalition);
      values.set(coalition, value);
    }
    return value;
  };
  return { utilityOf, asked: () => values.size };
}

/** @throws FoedusError BAD_SCORING for a utility that is not rounded. */
export function exactInteger(value: number | bigint, coalition: bigint): bigint {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new FoedusError(
      "BAD_SCORING",
      `The utility of coalition 0b${coalition.toString(2)} is ${value}; utilities are exact integers in 2^-20 nats. Round before scoring.`,
      {
        values: { coalition, value },
      },
    );
  }
  return BigInt(value);
}

/** ⌊sum / divisor⌋ (towards −∞, as the sign must not favour anybody), saturating at int32. */
export function score(sum: bigint, divisor: bigint): number {
  const quotient = sum / divisor;
  const floor = sum % divisor < 0n ? quotient - 1n : quotient;
  return Number(floor > INT32_MAX ? INT32_MAX : floor < INT32_MIN ? INT32_MIN : floor);
}

export function requirePlayers(players: number, limit: number): void {
  if (!Number.isInteger(players) || players < 0 || players > limit) {
    throw new FoedusError("BAD_SCORING", `${players} players cannot be scored here; 0 to ${limit} can.`, {
      values: { players, limit },
    });
  }
}

export function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}
