// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { machineSchema } from "../lib/machine.ts";

const positive = z.number().positive();
const measured = positive.nullable();

export const BACKENDS = ["cpu", "gpu", "plain-js", "reference"] as const;
export type BackendName = (typeof BACKENDS)[number];

const rowSchema = z.strictObject({
  /** Kernel and form of its input, or rule. */
  name: z.string(),
  /** Updates. */
  k: z.int().positive(),
  /** Coordinates. */
  d: z.int().positive(),
  backend: z.enum(BACKENDS),
  threads: z.int().positive(),
  /** Median time of the whole work. */
  ms: positive,
  /** Bytes of the updates as they are stored, once, per time; 10^9 bytes per second. */
  gbps: positive,
  /** gbps ÷ that of a reader of K streams with as many threads; on a GPU, of copies in its own memory. */
  ratioBandwidth: measured,
  /** Time of the fastest comparable way in numpy with at most as many threads ÷ ms: how many times faster. */
  ratioNumpy: measured,
  /** Time of plain JavaScript ÷ ms. */
  ratioPlainJs: measured,
});
export type Row = z.infer<typeof rowSchema>;

const readerSchema = z.strictObject({
  /** `lines`: K streams, 64 bytes of each in turn. `streams`: the same, or with 64 KiB, whichever is faster. `raw`: one stream. `copy`: a GPU's own. */
  reader: z.enum(["lines", "streams", "raw", "copy"]),
  /** Whose rows it was measured beside. */
  name: z.string(),
  k: z.int().positive(),
  d: z.int().positive(),
  threads: z.int().positive(),
  gbps: positive,
});

const peerSchema = z.strictObject({
  name: z.string(),
  k: z.int().positive(),
  d: z.int().positive(),
  /** Operation of bench/peers/numpy_peer.py. */
  peer: z.string(),
  threads: z.int().positive(),
  ms: positive,
  /** Whether rows are compared with it: for kernels, whether its results are exact and it starts from the same integers. */
  comparable: z.boolean(),
});

const partsSchema = z.strictObject({
  name: z.string(),
  k: z.int().positive(),
  d: z.int().positive(),
  backend: z.enum(BACKENDS),
  threads: z.int().positive(),
  ms: positive,
  /** The same backend's Gram matrix and weighted sum alone, measured in turn with the rule, in the same chunks. */
  gramMs: positive,
  weightedSumMs: positive,
  /** ms ÷ (gramMs + weightedSumMs). */
  ratioParts: positive,
});

export const resultsSchema = z.strictObject({
  date: z.iso.datetime(),
  /** Fewer runs and sizes: not for quoting. */
  quick: z.boolean(),
  /** Runs behind each median, unless `fewer` says less. */
  repeats: z.int().positive(),
  machine: machineSchema,
  /** Null where there is none. */
  numpy: z.strictObject({ python: z.string(), numpy: z.string(), blas: z.string().nullable() }).nullable(),
  rows: z.array(rowSchema),
  bandwidth: z.array(readerSchema),
  peers: z.array(peerSchema),
  rules: z.array(partsSchema),
  /** Kernels on a GPU that has the updates already. */
  uploaded: z.array(
    z.strictObject({
      name: z.string(),
      k: z.int().positive(),
      /** Bytes of the updates as they are stored, once, per time. */
      gbps: positive,
      /** Bytes read and bytes written by copies in the GPU's memory, in turn with it. */
      copyGbps: positive,
      ratioCopy: positive,
    }),
  ),
  /** Medians of fewer runs, because one takes long. */
  fewer: z.array(
    z.strictObject({ name: z.string(), k: z.int(), d: z.int(), who: z.string(), repeats: z.int().positive() }),
  ),
  /** How many times the run was broken off and taken up again, perhaps under another load. */
  interruptions: z.int().nonnegative(),
  /** What was asked for and could not be measured, with the reason. */
  missing: z.array(z.string()),
});
export type Results = z.infer<typeof resultsSchema>;
