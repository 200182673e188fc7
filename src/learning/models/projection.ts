// SPDX-License-Identifier: Apache-2.0
import type { Operations } from "../operations.ts";
import { consumes, produces, type SymmetryGroup } from "../symmetry/symmetryGroup.ts";
import { glorot, he, linear, linearTensors, type ModelOutputs, type ModelTensor } from "./architecture.ts";

const [FIRST, SECOND] = ["projection1", "projection2"] as const;

/** What stands behind a body's last layer: the head, or a projection head before it. */
interface Ending {
  /** Name of the last linear layer. */
  readonly head: string;
  /** Values that the body gives per sample. */
  readonly width: number;
  readonly classes: number;
  /** Width of the projection; undefined: none. */
  readonly projection: number | undefined;
}

/**
 * A projection head (Li, He & Song 2021, §4.1, as in their code): linear of the body's own width, ReLU, linear to `projection` values, which are the
 * model's features; then the last linear layer.
 */
export function endingTensors({ head, width, classes, projection }: Ending): ModelTensor[] {
  if (projection === undefined) return linearTensors(head, width, classes, glorot(width, classes), true);
  return [
    ...linearTensors(FIRST, width, width, he(width)),
    ...linearTensors(SECOND, width, projection, glorot(width, projection)),
    ...linearTensors(head, projection, classes, glorot(projection, classes), true),
  ];
}

/** Logits and features of what the body gives. */
export function endingOutputs<V>(
  operations: Operations<V>,
  { head, projection }: Pick<Ending, "head" | "projection">,
  body: V,
): ModelOutputs<V> {
  const features =
    projection === undefined
      ? body
      : linear(operations, SECOND, operations.activate("relu", linear(operations, FIRST, body)));
  return { logits: linear(operations, head, features), features };
}

/** The weight that consumes the body's last units. */
export function endingWeight({ head, projection }: Pick<Ending, "head" | "projection">): string {
  return `${projection === undefined ? head : FIRST}.weight`;
}

/** The projection's own symmetries: its hidden units are exchanged and scaled; its outputs, which only a linear layer reads, take any invertible map. */
export function endingSymmetries({ head, width, projection }: Omit<Ending, "classes">): SymmetryGroup[] {
  if (projection === undefined) return [];
  return [
    {
      name: FIRST,
      size: width,
      kind: "permutation",
      signs: false,
      scaling: true,
      touches: [produces(`${FIRST}.weight`, 0), produces(`${FIRST}.bias`, 0), consumes(`${SECOND}.weight`, 1)],
    },
    {
      name: SECOND,
      size: projection,
      kind: "linear",
      signs: true,
      scaling: true,
      touches: [produces(`${SECOND}.weight`, 0), produces(`${SECOND}.bias`, 0), consumes(`${head}.weight`, 1)],
    },
  ];
}
