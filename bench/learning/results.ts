// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { machineSchema } from "../lib/machine.ts";

const positive = z.number().positive();

const rowSchema = z.strictObject({
  model: z.string(),
  engine: z.string(),
  threads: z.int().positive(),
  /** From the median time of a step. */
  stepsPerSecond: positive,
  /** stepsPerSecond ÷ PyTorch's with as many threads, measured in turn; null where PyTorch is absent (`missing` says why). */
  ratioTorch: positive.nullable(),
});
export type Row = z.infer<typeof rowSchema>;

/** bench/results/learning.json */
export const resultsSchema = z.strictObject({
  date: z.iso.datetime(),
  /** Fewer and shorter runs: not for quoting. */
  quick: z.boolean(),
  /** Runs behind each median. */
  repeats: z.int().positive(),
  /** Samples of every step. */
  batch: z.int().positive(),
  machine: machineSchema,
  /** Null where there is none. `blas`: the library that multiplies its matrices. */
  torch: z.strictObject({ python: z.string(), torch: z.string(), blas: z.string().nullable() }).nullable(),
  /** What the engines call themselves. */
  engines: z.record(z.string(), z.string()),
  rows: z.array(rowSchema),
  /** What was asked for and could not be measured, with the reason. */
  missing: z.array(z.string()),
});
export type Results = z.infer<typeof resultsSchema>;

export function renderTable({ rows, machine, torch, batch, repeats }: Results): string {
  const blas = torch === null ? "PyTorch absent" : `PyTorch ${torch.torch}, ${torch.blas ?? "BLAS unknown"}`;
  const head = `${machine.cpu}, ${machine.cores} cores, ${machine.os}; ${blas}; batch ${batch}, medians of ${repeats} runs`;
  const lines = rows.map(({ model, engine, threads, stepsPerSecond, ratioTorch }) =>
    [
      model.padEnd(20),
      engine.padEnd(18),
      String(threads).padStart(3),
      stepsPerSecond.toPrecision(4).padStart(10),
      (ratioTorch === null ? "" : ratioTorch.toFixed(2)).padStart(8),
    ].join("  "),
  );
  const title = ["model".padEnd(20), "engine".padEnd(18), "thr", "   steps/s", "÷ torch"].join("  ");
  return [head, title, ...lines].join("\n");
}
