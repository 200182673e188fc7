// SPDX-License-Identifier: Apache-2.0

/** What every way of dealing needs. */

import type { Dataset } from "../protocol/dataset.ts";
import type { Random } from "../protocol/random.ts";
import { DataError } from "./errors.ts";

/** Indices of each member's samples, ascending. */
export type Deal = readonly (readonly number[])[];

/** @throws DataError CANNOT_DEAL unless each of `parts` can have a sample. */
export function checkParts(dataset: Dataset, parts: number): void {
  if (!Number.isInteger(parts) || parts < 1 || parts > dataset.size) {
    throw new DataError("CANNOT_DEAL", `${dataset.size} samples cannot be dealt into ${parts} parts of at least one.`, {
      size: dataset.size,
      parts,
    });
  }
}

/** Sample indices of each class, in random order. */
export function samplesByLabel({ labels, classes }: Dataset, random: Random): number[][] {
  const byLabel: number[][] = Array.from({ length: classes }, () => []);
  labels.forEach((label, index) => (byLabel[label] as number[]).push(index));
  return byLabel.map((samples) => random.shuffled(samples));
}

/** Consecutive parts whose sizes differ by at most one. */
export function cutEvenly<T>(items: readonly T[], parts: number): T[][] {
  return Array.from({ length: parts }, (_, p) =>
    items.slice(Math.floor((p * items.length) / parts), Math.floor(((p + 1) * items.length) / parts)),
  );
}

export function ascending(indices: readonly number[]): number[] {
  return [...indices].sort((a, b) => a - b);
}
