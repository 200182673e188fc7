// SPDX-License-Identifier: Apache-2.0
import type { z } from "zod";
import { dataSchema, loadData } from "../../../src/data/dataConfig.ts";
import type { LoadedData } from "../../../src/data/loadedData.ts";

/** Data by a section as it stands in an experiment file. */
export function load(section: z.input<typeof dataSchema>, root = ".", seed = "test"): Promise<LoadedData> {
  return loadData(dataSchema.parse(section), { root, seed });
}

export function labelCounts(labels: Int32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] as number) + 1;
  return counts;
}

/** What every loaded data set must be; returns the first breach in words. */
export function breachOf({
  train,
  test,
  shape,
  classNames,
  clients,
  testClients,
  clientNames,
  kind,
  vocabulary,
  notes,
}: LoadedData): string | undefined {
  const inputs = shape.reduce((product, size) => product * size, 1);
  for (const [name, part, ids] of [
    ["train", train, clients],
    ["test", test, testClients],
  ] as const) {
    if (part.size < 1) return `${name} is empty`;
    if (part.inputs !== inputs || part.features.length !== part.size * inputs)
      return `${name} does not have shape ${shape}`;
    if (part.labels.length !== part.size || part.labels.some((label) => label < 0 || label >= part.classes))
      return `${name} has labels out of range`;
    if (part.classes !== classNames.length) return `${name} has ${part.classes} classes and ${classNames.length} names`;
    if (!isCanonical(part.features)) return `${name} has non-canonical features`;
    if (kind === "tokens" && part.features.some((id) => !Number.isInteger(id) || id < 0 || id >= (vocabulary ?? 0)))
      return `${name} has tokens outside the vocabulary`;
    if (ids !== undefined && (ids.length !== part.size || ids.some((id) => clientNames?.[id] === undefined)))
      return `${name} has clients without a name`;
  }
  return notes.length > 0 ? undefined : "it does not say how it was made";
}

/** A plain loop: there are 47 million pixels. */
function isCanonical(features: Float32Array): boolean {
  for (let i = 0; i < features.length; i++) {
    const value = features[i] as number;
    if (!Number.isFinite(value) || Object.is(value, -0)) return false;
  }
  return true;
}
