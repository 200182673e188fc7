// SPDX-License-Identifier: Apache-2.0

/**
 * Where a group of function-preserving transformations acts on a model's parameters (spec B8.4).
 *
 * An axis of a tensor is read as (repeat, unit, place): index = offset + (repeat·size + unit)·inner + place. An LSTM's rows have four repeats,
 * one per gate; the columns behind a flattened image have one place per pixel; attention heads have one place per value of a head.
 */
export interface Touch {
  readonly tensor: string;
  readonly axis: number;
  readonly offset: number;
  readonly repeats: number;
  readonly inner: number;
  /** Consumes the units rather than producing them: transformed by the inverse transpose. The same for permutations and rotations. */
  readonly consumes: boolean;
}

export interface SymmetryGroup {
  readonly name: string;
  /** Number of units that are exchanged or mixed. */
  readonly size: number;
  /** Which matrices leave the function as it is: permutations, rotations and reflections, or all invertible ones. */
  readonly kind: "permutation" | "orthogonal" | "linear";
  /** Units may also change sign (odd activations). */
  readonly signs: boolean;
  /** Units may also be multiplied by positive numbers (ReLU). */
  readonly scaling: boolean;
  readonly touches: readonly Touch[];
}

interface Place {
  readonly offset?: number;
  readonly repeats?: number;
  readonly inner?: number;
}

/** An axis that produces a group's units. */
export function produces(tensor: string, axis: number, { offset = 0, repeats = 1, inner = 1 }: Place = {}): Touch {
  return { tensor, axis, offset, repeats, inner, consumes: false };
}

/** An axis that consumes them. */
export function consumes(tensor: string, axis: number, place: Place = {}): Touch {
  return { ...produces(tensor, axis, place), consumes: true };
}

/** Units that may be permuted and nothing else. */
export function permutations(name: string, size: number, touches: readonly Touch[]): SymmetryGroup {
  return { name, size, kind: "permutation", signs: false, scaling: false, touches };
}

/** The group's touches restricted to blocks of the given number of consecutive units: one group that permutes whole blocks, and one within each. */
export function blockwise({ name, size, touches }: SymmetryGroup, block: number): SymmetryGroup[] {
  const blocks = size / block;
  const whole = permutations(
    `${name}.blocks`,
    blocks,
    touches.map((touch) => ({ ...touch, inner: touch.inner * block })),
  );
  const within = Array.from({ length: blocks }, (_, b) =>
    permutations(
      `${name}.block${b}`,
      block,
      touches.map((touch) => ({ ...touch, offset: touch.offset + b * block * touch.inner })),
    ),
  );
  return [whole, ...within].filter((group) => group.size > 1);
}
