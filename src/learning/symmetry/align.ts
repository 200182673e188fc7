// SPDX-License-Identifier: Apache-2.0
import { assign } from "../../numerics/assignment.ts";
import { procrustes } from "../../numerics/svd.ts";
import type { Random } from "../../protocol/random.ts";
import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import { type ParameterTensor, parameterLayout, symmetryGroups } from "../layout.ts";
import { checkLength } from "../targets.ts";
import { axisOf, mixUnits, type Parameters, permuteUnits } from "./act.ts";
import type { SymmetryGroup } from "./symmetryGroup.ts";

const MAX_SWEEPS = 20;
/** Above this size the assignment is greedy. */
const LARGEST_EXACT = 512;
/** An improvement of the inner product smaller than this, relative to the norms, is none. */
const LEAST_GAIN = 1e-12;
/** Added to the diagonal of the similarities, so that ties keep units where they are. */
const IDENTITY_BONUS = 1e-9;

export interface AlignmentOptions {
  /** Also let units change sign where the activation is odd. Default: false. */
  readonly signs?: boolean;
  /** Also rotate where rotations are symmetries (queries with keys, values with outputs, …): exact up to rounding only. Default: false. */
  readonly rotations?: boolean;
}

export interface Alignment<P> {
  /** The local parameters, units exchanged: the same function, as near to the reference as the search came. A new array. */
  readonly parameters: P;
  /** Whether any unit moved, changed sign or was rotated. */
  readonly changed: boolean;
  /** Whether parameters that are not finite were left as they are. */
  readonly skipped: boolean;
}

/**
 * Weight matching (spec B8.5; Ainsworth et al. 2022, "Git Re-Basin"): exchanges hidden units of a local model so that ⟨Pθ, w⟩ grows, one group at a
 * time in keyed random order, each a linear assignment given the others, until a sweep gains nothing or 20 are done. ⟨Pθ, w⟩ never falls, so
 * ‖Pθ − w‖ never grows. To move the global model towards a local one (w → P^-1·w), exchange the two arguments.
 *
 * Rotations, when asked for, are the orthogonal Procrustes solution U·Vᵀ of the similarities U·S·Vᵀ in place of the assignment.
 *
 * Similarities are summed in float64. Groups of more than 512 units are matched greedily.
 *
 * @param random orders the groups.
 * @throws LearningError WRONG_SHAPE for vectors of another length.
 */
export function alignToReference<P extends Parameters>(
  config: ModelConfig,
  local: P,
  reference: Parameters,
  random: Random,
  { signs = false, rotations = false }: AlignmentOptions = {},
): Alignment<P> {
  const layout = parameterLayout(config);
  const size = layout.reduce((sum, tensor) => sum + tensor.size, 0);
  checkLength("The local model", local, size);
  checkLength("The reference model", reference, size);
  const start = local.slice() as P;
  if (!start.every(Number.isFinite) || !(reference as Float64Array).every(Number.isFinite))
    return { parameters: start, changed: false, skipped: true };

  const groups = symmetryGroups(config).filter(({ kind }) => rotations || kind === "permutation");
  const least = LEAST_GAIN * Math.sqrt(inner(start, start) * inner(reference, reference));
  let parameters = start;
  let best = inner(parameters, reference);
  let changed = false;
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let gained = false;
    for (const index of random.derive("align", sweep).permutation(groups.length)) {
      const group = groups[index] as SymmetryGroup;
      const similarity = similarities(layout, group, reference, parameters);
      let candidate: P;
      if (group.kind === "permutation") {
        const match = bestMatch(similarity, group.size, signs && group.signs);
        candidate = permuteUnits(layout, parameters, group, match.order, match.signs);
      } else {
        candidate = rotated(layout, parameters, group, procrustes(similarity, group.size));
      }
      // Where a tensor has the group on two axes (recurrence), the assignment is only a guess at the gain.
      const value = inner(candidate, reference);
      if (value <= best + least) continue;
      [parameters, best, changed, gained] = [candidate, value, true, true];
    }
    if (!gained) break;
  }
  return { parameters, changed, skipped: false };
}

/** The units rotated in float64, then rounded to the parameters' precision. */
function rotated<P extends Parameters>(
  layout: readonly ParameterTensor[],
  parameters: P,
  group: SymmetryGroup,
  rotation: Float64Array,
): P {
  const { size } = group;
  const inverse = rotation.map((_, i) => rotation[(i % size) * size + Math.floor(i / size)] as number);
  const mixed = mixUnits(layout, Float64Array.from(parameters), group, rotation, inverse);
  const result = parameters.slice() as P;
  // + 0 keeps −0 out: it has no place on the grid.
  mixed.forEach((value, i) => (result[i] = value + 0));
  return result;
}

/** S_ij: the inner product of the reference's unit i with the local model's unit j, over all tensors the group touches. */
function similarities(
  layout: readonly ParameterTensor[],
  group: SymmetryGroup,
  reference: Parameters,
  local: Parameters,
): Float64Array {
  const { size } = group;
  const sums = new Float64Array(size * size);
  for (const touch of group.touches) {
    const { start, lines, lineStride, repeats, block } = axisOf(layout, touch);
    for (let line = 0; line < lines; line++)
      for (let repeat = 0; repeat < repeats; repeat++) {
        const base = start + line * lineStride + repeat * size * block;
        for (let i = 0; i < size; i++)
          for (let j = 0; j < size; j++) {
            let sum = sums[i * size + j] as number;
            for (let k = 0; k < block; k++)
              sum += (reference[base + i * block + k] as number) * (local[base + j * block + k] as number);
            sums[i * size + j] = sum;
          }
      }
  }
  return sums;
}

interface Match {
  /** Local unit for each place. */
  readonly order: Int32Array;
  readonly signs?: Int8Array;
}

function bestMatch(similarity: Float64Array, size: number, signed: boolean): Match {
  const cost = similarity.map((value, index) => {
    const bonus = index % (size + 1) === 0 ? IDENTITY_BONUS : 0;
    return -(signed ? Math.abs(value) : value) - bonus;
  });
  const order = size > LARGEST_EXACT ? assignGreedily(cost, size) : assign(cost, size);
  if (!signed) return { order };
  return { order, signs: Int8Array.from(order, (j, i) => ((similarity[i * size + j] as number) < 0 ? -1 : 1)) };
}

/** Cheapest pair first, among rows and columns still free; equal costs in reading order. */
function assignGreedily(cost: Float64Array, size: number): Int32Array {
  const pairs = Uint32Array.from(cost, (_, index) => index).sort(
    (a, b) => (cost[a] as number) - (cost[b] as number) || a - b,
  );
  const columnOf = new Int32Array(size).fill(-1);
  const taken = new Uint8Array(size);
  for (const pair of pairs) {
    const [row, column] = [Math.floor(pair / size), pair % size];
    if (columnOf[row] !== -1 || taken[column] === 1) continue;
    columnOf[row] = column;
    taken[column] = 1;
  }
  return columnOf;
}

function inner(a: Parameters, b: Parameters): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
