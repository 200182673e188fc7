// SPDX-License-Identifier: Apache-2.0

/**
 * The k-th smallest value (k from 0), by Hoare's selection on a copy.
 *
 * @throws RangeError for NaN among the values or k outside them.
 */
export function kthSmallest(values: ArrayLike<number>, k: number): number {
  if (!Number.isInteger(k) || k < 0 || k >= values.length)
    throw new RangeError(`Of ${values.length} values there is none of rank ${k}.`);
  const work = copyOf(values);
  let low = 0;
  let high = work.length - 1;
  while (low < high) {
    const pivot = work[(low + high) >>> 1] as number;
    let i = low;
    let j = high;
    while (i <= j) {
      while ((work[i] as number) < pivot) i++;
      while ((work[j] as number) > pivot) j--;
      if (i > j) break;
      const moved = work[i] as number;
      work[i++] = work[j] as number;
      work[j--] = moved;
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else return work[k] as number;
  }
  return work[k] as number;
}

/** The middle value; of an even number the mean of the two middle ones. NaN is refused. */
export function median(values: ArrayLike<number>): number {
  return (kthSmallest(values, (values.length - 1) >> 1) + kthSmallest(values, values.length >> 1)) / 2;
}

/**
 * The p-quantile, linear between order statistics at p·(n−1) (type 7 of Hyndman & Fan, the default of NumPy and R).
 *
 * @throws RangeError unless 0 ≤ p ≤ 1 and there are values, none of them NaN.
 */
export function quantile(values: ArrayLike<number>, p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`A probability lies between 0 and 1; got ${p}.`);
  const position = p * (values.length - 1);
  const below = Math.floor(position);
  const low = kthSmallest(values, below);
  if (position === below) return low;
  return low + (position - below) * (kthSmallest(values, below + 1) - low);
}

function copyOf(values: ArrayLike<number>): Float64Array {
  const copy = Float64Array.from(values);
  for (const value of copy) if (Number.isNaN(value)) throw new RangeError("NaN has no place in an order.");
  return copy;
}
