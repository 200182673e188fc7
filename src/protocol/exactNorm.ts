// SPDX-License-Identifier: Apache-2.0
import type { ModelLayout } from "./layout.ts";

const LIMB = 2_097_152; // 2^21
/** A power of two: multiplying by it is dividing, and faster. */
const ONE_BY_LIMB = 1 / LIMB;
/** Terms summed in float64 before they are folded into a BigInt: limb products are at most 2^42, so 2^10 of them stay below 2^53. */
const FOLD = 1_024;

/**
 * Σ v_j², exact.
 *
 * Each v is split as h·2^21 + l with 0 ≤ l < 2^21, so the sums of hh, hl and ll are exact float64 integers over a block.
 *
 * @param values integers with |v| ≤ 2^41.
 */
export function sumOfSquares(values: Int32Array | Float64Array, from = 0, to = values.length): bigint {
  let sum = 0n;
  for (let start = from; start < to; start += FOLD) {
    const stop = start + FOLD < to ? start + FOLD : to;
    let hh = 0;
    let hl = 0;
    let ll = 0;
    for (let j = start; j < stop; j++) {
      const v = values[j] as number;
      const h = Math.floor(v * ONE_BY_LIMB);
      const l = v - h * LIMB;
      hh += h * h;
      hl += h * l;
      ll += l * l;
    }
    sum += (BigInt(hh) << 42n) + (BigInt(hl) << 22n) + BigInt(ll);
  }
  return sum;
}

/**
 * Σ v_j², exact, in units 2^-2F_max of the values' own grid: a coordinate of a tensor with smaller F counts 4^(F_max−F) times.
 *
 * Serves updates (|q| < 2^24, result in 2^-2F_max) and differences of master models (|m' − m| ≤ 2^41, result in 2^-2(F_max+16)).
 *
 * @param values integers with |v| ≤ 2^41, one per coordinate of the layout.
 */
export function squaredNorm(values: Int32Array | Float64Array, layout: ModelLayout): bigint {
  let total = 0n;
  for (const { offset, size, fractionBits } of layout.tensors) {
    total += sumOfSquares(values, offset, offset + size) << BigInt(2 * (layout.maxFractionBits - fractionBits));
  }
  return total;
}
