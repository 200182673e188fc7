// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "./errors.ts";

/** Shares or a total that cannot be apportioned. */
export class ApportionmentError extends FoedusError {
  constructor(message: string, values: Record<string, unknown>) {
    super("NO_APPORTIONMENT", message, { values });
    this.name = "ApportionmentError";
  }
}

/**
 * Where the largest remainders end: an index gets one unit more exactly if its remainder is above `remainder`, or equal to it and its index
 * is at most `index`. Whoever knows the cut-off can check an apportionment in one pass without sorting, as the contract does.
 */
export interface CutOff {
  /** Numerator over Σ shares. Equal to Σ shares, which no remainder reaches, when the floors already add up to the total. */
  readonly remainder: bigint;
  /** −1 when the floors already add up to the total. */
  readonly index: number;
}

export interface Apportionment {
  /** Integers ≥ 0 in the order of the shares; they add up to the total exactly. */
  readonly amounts: readonly bigint[];
  readonly cutOff: CutOff;
}

/**
 * Splits `total` units by `shares` with the largest-remainder (Hamilton) method: everybody gets ⌊total·share/Σ⌋, and the units still missing
 * go one each to the largest remainders of those divisions; ties to the lowest index. A share of 0 never gets a unit.
 *
 * @param total units to hand out, ≥ 0.
 * @param shares integers ≥ 0, not all 0.
 * @throws ApportionmentError when there is nothing to apportion by.
 * @example apportion(10n, [1n, 1n, 1n]).amounts; // [4n, 3n, 3n]
 */
export function apportion(total: bigint, shares: readonly bigint[]): Apportionment {
  let sum = 0n;
  for (const [index, share] of shares.entries()) {
    if (share < 0n)
      throw new ApportionmentError(`Share ${index} is ${share}; shares are not negative.`, { index, share });
    sum += share;
  }
  if (total < 0n || sum === 0n) {
    throw new ApportionmentError(`${total} units cannot be split by ${shares.length} shares that sum to ${sum}.`, {
      total,
      sum,
    });
  }

  const amounts: bigint[] = [];
  const remainders: { remainder: bigint; index: number }[] = [];
  let missing = total;
  for (const [index, share] of shares.entries()) {
    const product = total * share;
    const floor = product / sum;
    amounts.push(floor);
    remainders.push({ remainder: product - floor * sum, index });
    missing -= floor;
  }
  if (missing === 0n) return { amounts, cutOff: { remainder: sum, index: -1 } };

  remainders.sort((a, b) => (a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1));
  // The remainders are below Σ and add up to missing·Σ, so more than `missing` of them are positive: the last one here is too.
  const rounded = remainders.slice(0, Number(missing));
  for (const { index } of rounded) amounts[index] = (amounts[index] as bigint) + 1n;
  return { amounts, cutOff: rounded.at(-1) as CutOff };
}
