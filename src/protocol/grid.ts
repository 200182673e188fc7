// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "./errors.ts";
import type { ModelLayout } from "./layout.ts";

/** Update grid: integers |q| < 2^24 on 2^-F. */
export const UPDATE_LIMIT = 16_777_216;
/** A column of aggregation weights sums to at most this (2^16). */
export const WEIGHT_ONE = 65_536;
/** Extra fraction bits of the master model: it lives on 2^-(F+16), so that Σ λ_k q_k is exact. */
export const MASTER_EXTRA_BITS = 16;
/** Master range: −2^40 ≤ m < 2^40 − 2^15, so that the float view fits 24 bits and the remainder 16. */
export const MASTER_MIN = -1_099_511_627_776;
export const MASTER_LIMIT = 1_099_511_595_008;
/** The initial model must leave room to move: |m| < 2^38. */
export const INITIAL_MASTER_LIMIT = 274_877_906_944;
/** Most updates one aggregation may take (trimmed sums stay below 2^53). */
export const MAX_UPDATES = 2_048;

export class GridError extends FoedusError {
  constructor(message: string, values: Record<string, unknown> = {}) {
    super("OFF_GRID", message, { values });
    this.name = "GridError";
  }
}

/** Whether m may stand in a master model. −0 may not: it has another bit pattern than +0. */
export function isMasterValue(m: number): boolean {
  return Number.isInteger(m) && m >= MASTER_MIN && m < MASTER_LIMIT && !Object.is(m, -0);
}

/** View ⌊(m + 2^15) / 2^16⌋, the integer on 2^-F whose float32 users download; exact because 2^16 divides by shifting the exponent. */
export function viewOf(m: number): number {
  return Math.floor((m + 32_768) / 65_536);
}

/** The two parts of a master model as a checkpoint stores them: float32 view and int16 remainder m − 2^16·view. */
export function splitMaster(master: Float64Array, layout: ModelLayout): { view: Float32Array; remainder: Int16Array } {
  const view = new Float32Array(layout.size);
  const remainder = new Int16Array(layout.size);
  for (const tensor of layout.tensors) {
    const unit = powerOfTwo(-tensor.fractionBits);
    for (let j = tensor.offset; j < tensor.offset + tensor.size; j++) {
      const m = master[j] as number;
      if (!isMasterValue(m))
        throw new GridError(`Master value ${m} of ${tensor.name}[${j - tensor.offset}] is off the grid.`, {
          tensor: tensor.name,
          value: m,
        });
      const v = viewOf(m);
      view[j] = v * unit;
      remainder[j] = m - v * 65_536;
    }
  }
  return { view, remainder };
}

/** Inverse of `splitMaster`; refuses a view off the grid and anything `splitMaster` would write differently. */
export function joinMaster(view: Float32Array, remainder: Int16Array, layout: ModelLayout): Float64Array {
  const master = new Float64Array(layout.size);
  for (const tensor of layout.tensors) {
    const scale = powerOfTwo(tensor.fractionBits);
    for (let j = tensor.offset; j < tensor.offset + tensor.size; j++) {
      const v = (view[j] as number) * scale;
      const m = v * 65_536 + (remainder[j] as number);
      if (Object.is(view[j], -0) || !Number.isInteger(v) || !isMasterValue(m) || viewOf(m) !== v) {
        throw new GridError(
          `Value ${view[j]} with remainder ${remainder[j]} of ${tensor.name}[${j - tensor.offset}] is off the grid.`,
          { tensor: tensor.name },
        );
      }
      master[j] = m;
    }
  }
  return master;
}

/** The nearest master model of float parameters (the initial model): rounded half up on 2^-F, remainder 0. */
export function masterFromFloat(parameters: Float32Array, layout: ModelLayout): Float64Array {
  if (parameters.length !== layout.size)
    throw new GridError(`${parameters.length} parameters do not fill a layout of ${layout.size}.`);
  const master = new Float64Array(layout.size);
  for (const tensor of layout.tensors) {
    const scale = powerOfTwo(tensor.fractionBits);
    for (let j = tensor.offset; j < tensor.offset + tensor.size; j++) {
      const m = Math.floor((parameters[j] as number) * scale + 0.5) * 65_536 + 0;
      if (!(Math.abs(m) < INITIAL_MASTER_LIMIT))
        throw new GridError(`Initial value ${parameters[j]} of ${tensor.name} is outside the grid's range.`, {
          tensor: tensor.name,
        });
      master[j] = m;
    }
  }
  return master;
}

/** 2^exponent for |exponent| ≤ 1000, by exact doubling: no Math.pow in agreed code. */
export function powerOfTwo(exponent: number): number {
  let value = 1;
  const factor = exponent < 0 ? 0.5 : 2;
  for (let i = 0; i < Math.abs(exponent); i++) value *= factor;
  return value;
}

/**
 * Squared distance of two master models, exact, in units 2^-2(F_max+16): a coordinate of a tensor with smaller F counts
 * 4^(F_max−F) times. uint256 on chain.
 */
export function masterDistanceSq(a: Float64Array, b: Float64Array, layout: ModelLayout): bigint {
  let total = 0n;
  for (const tensor of layout.tensors) {
    let sum = 0n;
    for (let j = tensor.offset; j < tensor.offset + tensor.size; j++) {
      const difference = (a[j] as number) - (b[j] as number);
      if (difference !== 0) {
        const big = BigInt(difference);
        sum += big * big;
      }
    }
    total += sum << BigInt(2 * (layout.maxFractionBits - tensor.fractionBits));
  }
  return total;
}
