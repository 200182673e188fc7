// SPDX-License-Identifier: Apache-2.0
import type { ParameterTensor } from "../layout.ts";
import type { SymmetryGroup, Touch } from "./symmetryGroup.ts";

/** Parameters of either precision. */
export type Parameters = Float32Array | Float64Array;

/** Where one touched axis lies in the parameter vector. */
export interface Axis {
  /** Index of the axis's first value of the first line, along with the touch's own offset. */
  readonly start: number;
  /** Number of lines before the axis, and the distance from one to the next. */
  readonly lines: number;
  readonly lineStride: number;
  readonly repeats: number;
  /** Consecutive values that belong to one unit. */
  readonly block: number;
}

/** The axis of a touch of the group. @throws RangeError when the layout has no such tensor. */
export function axisOf(layout: readonly ParameterTensor[], { tensor, axis, offset, repeats, inner }: Touch): Axis {
  const found = layout.find(({ name }) => name === tensor);
  if (found === undefined) throw new RangeError(`The layout has no tensor "${tensor}".`);
  const after = found.shape.slice(axis + 1).reduce((product, extent) => product * extent, 1);
  const lineStride = (found.shape[axis] as number) * after;
  return {
    start: found.offset + offset * after,
    lines: found.size / lineStride,
    lineStride,
    repeats,
    block: inner * after,
  };
}

/**
 * The parameters with the group's units exchanged: unit i of the result is unit `order[i]`, times signs[i] if given. The model's function stays as
 * it is; values are moved (and negated), never rounded.
 *
 * @param signs 1 or −1 per unit of the result; only for groups with `signs`.
 */
export function permuteUnits<P extends Parameters>(
  layout: readonly ParameterTensor[],
  parameters: P,
  group: SymmetryGroup,
  order: ArrayLike<number>,
  signs?: ArrayLike<number>,
): P {
  checkOrder(group, order);
  let result = parameters.slice() as P;
  for (const touch of group.touches) {
    const { start, lines, lineStride, repeats, block } = axisOf(layout, touch);
    const before = result;
    result = before.slice() as P;
    for (let line = 0; line < lines; line++)
      for (let repeat = 0; repeat < repeats; repeat++)
        for (let unit = 0; unit < group.size; unit++) {
          const base = start + line * lineStride + repeat * group.size * block;
          const from = base + (order[unit] as number) * block;
          const to = base + unit * block;
          const negate = signs !== undefined && (signs[unit] as number) < 0;
          // + 0 keeps −0 out: it has no place on the grid.
          for (let i = 0; i < block; i++)
            result[to + i] = negate ? 0 - (before[from + i] as number) : (before[from + i] as number);
        }
  }
  return result;
}

/**
 * The parameters with the group's units mixed: producers become M·units, consumers M^-T·units. The function stays as it is up to rounding.
 *
 * @param matrix M, size × size, row-major: orthogonal for groups of that kind, invertible for linear ones, a positive diagonal for scalings.
 * @param inverse M^-1.
 */
export function mixUnits(
  layout: readonly ParameterTensor[],
  parameters: Float64Array,
  group: SymmetryGroup,
  matrix: Float64Array,
  inverse: Float64Array,
): Float64Array {
  const { size } = group;
  let result = parameters.slice();
  for (const touch of group.touches) {
    const { start, lines, lineStride, repeats, block } = axisOf(layout, touch);
    const before = result;
    result = before.slice();
    for (let line = 0; line < lines; line++)
      for (let repeat = 0; repeat < repeats; repeat++) {
        const base = start + line * lineStride + repeat * size * block;
        for (let unit = 0; unit < size; unit++)
          for (let i = 0; i < block; i++) {
            let sum = 0;
            for (let other = 0; other < size; other++) {
              const weight = touch.consumes ? inverse[other * size + unit] : matrix[unit * size + other];
              sum += (weight as number) * (before[base + other * block + i] as number);
            }
            result[base + unit * block + i] = sum;
          }
      }
  }
  return result;
}

function checkOrder({ name, size }: SymmetryGroup, order: ArrayLike<number>): void {
  const seen = new Set(Array.from(order));
  const fits = order.length === size && seen.size === size && [...seen].every((unit) => unit >= 0 && unit < size);
  if (!fits) throw new RangeError(`An order of ${name} lists each of its ${size} units once.`);
}
