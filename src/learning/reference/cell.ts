// SPDX-License-Identifier: Apache-2.0

/** A value of the reference: plain float64, sample after sample, and the derivative of the objective with respect to it. */
export interface Cell {
  readonly data: Float64Array;
  readonly gradient: Float64Array;
}

/** Records operations and plays their backward passes in reverse. */
export class ReferenceTape {
  readonly #backward: (() => void)[] = [];

  cell(data: Float64Array): Cell {
    return { data, gradient: new Float64Array(data.length) };
  }

  /** @param backward reads the result's gradient and adds to those of its inputs. */
  record(data: Float64Array, backward: (result: Cell) => void): Cell {
    const result = this.cell(data);
    this.#backward.push(() => backward(result));
    return result;
  }

  backward(): void {
    for (const play of this.#backward.toReversed()) play();
  }
}

/** values[index]; the reference never reads outside. */
export function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number;
}

export function addAt(values: Float64Array, index: number, amount: number): void {
  values[index] = (values[index] as number) + amount;
}
