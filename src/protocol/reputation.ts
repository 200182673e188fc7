// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "./errors.ts";

/** Reputation 1 in Q16: where every member of a run starts. */
export const REPUTATION_ONE = 65_536;

/**
 * r' = (α·r + (65 536 − α)·(kept ? 65 536 : 0)) >> 16, the reputation after one committed update.
 *
 * The contract computes the same at finalise, for every committed update of the round: refused or not kept moves it towards 0. The
 * aggregation rule weighs by r', not r, so a member's bad update already counts against it in the round it is seen in.
 *
 * @param reputation r, Q16, 0 … 65 536.
 * @param alphaQ16 α, how much of the past stays, Q16, 0 … 65 536.
 * @param kept whether the rule kept the update.
 * @returns r' in 0 … 65 536.
 */
export function nextReputation(reputation: number, alphaQ16: number, kept: boolean): number {
  requireQ16("A reputation", reputation);
  requireQ16("α", alphaQ16);
  // Below 2^33, so the product is exact and a floored division stands for the shift that int32 could not hold.
  return Math.floor((alphaQ16 * reputation + (REPUTATION_ONE - alphaQ16) * (kept ? REPUTATION_ONE : 0)) / 65_536);
}

function requireQ16(what: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > 65_536) {
    throw new FoedusError("BAD_REPUTATION", `${what} is an integer from 0 to 65536 (Q16); got ${value}.`, {
      values: { value },
    });
  }
}
