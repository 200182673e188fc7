// SPDX-License-Identifier: Apache-2.0
import { utf8 } from "./bytes.ts";
import { canonicalJson } from "./canonicalJson.ts";
import { ConfigError } from "./errors.ts";
import { keccak256 } from "./hash.ts";

/** One tensor of the model as the run's recipe declares it. */
export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** F: an update value is q·2^-F. */
  readonly fractionBits: number;
  /** Column of the weight matrix λ that applies to this tensor. */
  readonly group: number;
}

export interface TensorLayout extends TensorSpec {
  /** Number of coordinates. */
  readonly size: number;
  /** Index of the first coordinate in the flat vector. */
  readonly offset: number;
}

/** The flat order of all coordinates: tensors as declared, each in row-major order. */
export interface ModelLayout {
  readonly tensors: readonly TensorLayout[];
  /** d, the number of coordinates. */
  readonly size: number;
  readonly maxFractionBits: number;
  /** G, the number of weight columns. */
  readonly groups: number;
  /** keccak256 of the canonical JSON of the tensor specs. */
  readonly digest: Uint8Array;
}

/** Largest model the protocol accepts, in coordinates: bounds the memory of every decoder. */
export const MAX_MODEL_SIZE = 2_147_483_648;
const MAX_TENSORS = 65_536;
/** Ends of names that a checkpoint gives to what it keeps beside a tensor. */
const RESERVED = [".remainder", ".momentum", ".variance"];

export function modelLayout(specs: readonly TensorSpec[]): ModelLayout {
  if (specs.length === 0 || specs.length > MAX_TENSORS)
    throw new ConfigError(`A model has 1 to ${MAX_TENSORS} tensors, not ${specs.length}.`);
  const names = new Set<string>();
  const tensors: TensorLayout[] = [];
  let offset = 0;
  let groups = 0;
  let maxFractionBits = 0;
  for (const { name, shape, fractionBits, group } of specs) {
    if (
      !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/.test(name) ||
      RESERVED.some((end) => name.endsWith(end)) ||
      names.has(name)
    ) {
      throw new ConfigError(
        `Tensor name "${name}" is not allowed: names are unique, begin with a letter or digit, go on with these, "_", "." and "-", and do not end in ${RESERVED.join(", ")}.`,
      );
    }
    names.add(name);
    if (shape.some((extent) => !Number.isSafeInteger(extent) || extent < 1))
      throw new ConfigError(`Tensor ${name} has shape [${shape}]; extents are positive integers.`);
    if (!Number.isInteger(fractionBits) || fractionBits < 0 || fractionBits > 24)
      throw new ConfigError(`Tensor ${name} has ${fractionBits} fraction bits; 0 to 24 are allowed.`);
    if (!Number.isInteger(group) || group < 0 || group > groups)
      throw new ConfigError(`Tensor ${name} has group ${group}; groups are numbered 0, 1, … in order of first use.`);
    const size = shape.reduce((product, extent) => product * extent, 1);
    tensors.push({ name, shape: [...shape], fractionBits, group, size, offset });
    offset += size;
    if (offset > MAX_MODEL_SIZE) throw new ConfigError(`The model has more than ${MAX_MODEL_SIZE} coordinates.`);
    groups = Math.max(groups, group + 1);
    maxFractionBits = Math.max(maxFractionBits, fractionBits);
  }
  const canonical = specs.map(({ name, shape, fractionBits, group }) => ({ name, shape, fractionBits, group }));
  return { tensors, size: offset, maxFractionBits, groups, digest: keccak256(utf8(canonicalJson(canonical))) };
}
