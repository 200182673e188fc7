// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Random } from "../protocol/random.ts";
import type { DataFolder, FileDigests } from "./dataFolder.ts";
import type { WholeData } from "./loadedData.ts";

const count = z.int().min(1).max(10_000_000);

/** Options of every data set that is read from files. */
export const fileOptions = {
  /** The set's folder, instead of the usual one below the data folder. */
  path: z.string().min(1).optional(),
  /** Demand the published SHA-256 of every file. */
  verify: z.boolean().default(true),
};

/** How many samples to keep of each part; all when left out. */
export const sampleOptions = { samples: count.optional(), testSamples: count.optional() };

/** Share of samples (of every natural client, where there are any) that are set aside as test samples. */
export const testShare = z.number().min(0.01).max(0.9);

/** A published data set: what its options are, where its files lie and how they are read. */
export interface DataSet<Schema extends z.ZodType> {
  readonly schema: Schema;
  /** Folder below the data folder. */
  readonly folder: string;
  readonly files: FileDigests;
  /** Where the files come from, where that is one place. */
  readonly source?: string;
  /** As upstream states it or as it is widely reported; no legal advice. */
  readonly licence: string;
  readonly citation: string;
  /** What the natural clients are; left out where there are none. */
  readonly naturalClients?: string;
  load(config: z.output<Schema>, folder: DataFolder, random: Random): Promise<WholeData>;
}
