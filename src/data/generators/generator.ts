// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Random } from "../../protocol/random.ts";
import type { LoadedData } from "../loadedData.ts";

/** Synthetic data: what its options are and how it is made. Equal options and streams give equal data. */
export interface Generator<Schema extends z.ZodType> {
  readonly schema: Schema;
  /** What the natural clients are; left out where there are none. */
  readonly naturalClients?: string;
  generate(config: z.output<Schema>, random: Random): LoadedData;
}

/** Training and test samples to make. */
export const sizes = (samples: number, testSamples: number) => ({
  samples: z.int().min(1).max(1_000_000).default(samples),
  testSamples: z.int().min(1).max(1_000_000).default(testSamples),
});

/** Natural clients to make; sample i belongs to client i mod clients, so that all have equally many within one. */
export const clientCount = z.int().min(1).max(10_000).default(20);

/** 0 … n−1 dealt evenly over `groups`, in random order: sample counts per class differ by at most one. */
export function balancedLabels(size: number, groups: number, random: Random): number[] {
  return random.permutation(size).map((position) => position % groups);
}

/** A uniform number in [low, high). */
export const between = (random: Random, low: number, high: number): number => low + (high - low) * random.uniform();
