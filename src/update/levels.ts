// SPDX-License-Identifier: Apache-2.0

/** How one block is written: q̂ = scale·k. */
export interface BlockLevels {
  /** Integer ≥ 1. */
  readonly scale: number;
  /** k of a value. @param index of the value among all that are encoded. */
  readonly levelOf: (value: number, index: number) => number;
}

/** Chooses scale and levels of values[start … end), |k| ≤ limit. */
export type Levels = (values: ArrayLike<number>, start: number, end: number, limit: number) => BlockLevels;

/**
 * The scale is the smallest integer with which the block's largest value fits, and k is rounded *toward zero*: |q̂| ≤ |q| in every
 * coordinate, so whatever bound q keeps (coordinate, norm, master range: all contain 0 and everything between), q̂ keeps too. What is
 * lost stays with the member as error feedback.
 */
export const TOWARD_ZERO: Levels = (values, start, end, limit) => {
  const scale = linearScale(values, start, end, limit);
  return { scale, levelOf: (value) => Math.trunc(value / scale) };
};

/** What a stochastic encoder draws from and must not leave. */
export interface Dice {
  readonly random: { uniform(): number };
  /** Whether the coordinate may be q̂; where not, the level nearer to zero is taken, unbiased or not: a bound is a bound. */
  readonly fits: (index: number, value: number) => boolean;
}

/** The same scale; k is one of the two levels beside the value, with the odds that make it right on average. */
export function stochastic(dice: Dice): Levels {
  return (values, start, end, limit) => {
    const scale = linearScale(values, start, end, limit);
    return { scale, levelOf: rounded(scale, scale, limit, dice) };
  };
}

/**
 * QSGD on the grid: k = ⌊a⌋ or one more, a = |q|·s/‖q‖ of the block, and q̂ = ‖q‖·k/s, with ‖q‖/s rounded up to an integer, so that every reader
 * has the same q̂ and it is right on average to the last unit.
 *
 * @remarks E‖q̂ − q‖² ≤ ω‖q‖², ω = min(n/s², √n/s) for n values in a block, while ‖q‖ is not below s grid units.
 * Source: Alistarh, Grubic, Li, Tomioka & Vojnović 2017, §3.1.
 */
export function qsgd(dice: Dice): Levels {
  return (values, start, end, limit) => {
    const scale = Math.max(1, Math.ceil(norm(values, start, end) / limit));
    return { scale, levelOf: rounded(scale, scale, limit, dice) };
  };
}

/**
 * QSGD divided by 1 + ω, which makes it a contraction, as error feedback needs. Blocks too short for that scale to be an integer (‖q‖ below
 * s·(1 + ω) grid units) are rounded toward zero instead.
 */
export function scaledQsgd(dice: Dice): Levels {
  return (values, start, end, limit) => {
    const unit = norm(values, start, end) / limit;
    const shrink = 1 + qsgdVariance(end - start, limit);
    if (unit < shrink) return TOWARD_ZERO(values, start, end, limit);
    const scale = Math.ceil(unit / shrink);
    return { scale, levelOf: rounded(scale, scale * shrink, limit, dice) };
  };
}

/** ω: E‖Q(x) − x‖² ≤ ω‖x‖² for n values on s levels. */
export function qsgdVariance(count: number, levels: number): number {
  return Math.min(count / (levels * levels), Math.sqrt(count) / levels);
}

/** @param divisor what a value is divided by to give its level; the scale, but where that was made smaller on purpose. */
function rounded(scale: number, divisor: number, limit: number, { random, fits }: Dice): BlockLevels["levelOf"] {
  return (value, index) => {
    const exact = Math.min(Math.abs(value) / divisor, limit);
    const lower = Math.floor(exact);
    const sign = value < 0 ? -1 : 1;
    const up = exact > lower && random.uniform() < exact - lower && fits(index, sign * (lower + 1) * scale);
    return sign * (up ? lower + 1 : lower);
  };
}

function linearScale(values: ArrayLike<number>, start: number, end: number, limit: number): number {
  let largest = 0;
  for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(values[i] as number));
  return Math.max(1, Math.ceil(largest / limit));
}

function norm(values: ArrayLike<number>, start: number, end: number): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum += (values[i] as number) * (values[i] as number);
  return Math.sqrt(sum);
}
