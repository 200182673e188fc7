// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import { z } from "zod";

/** Where numbers come from. */
export const machineSchema = z.strictObject({
  cpu: z.string(),
  cores: z.int().positive(),
  memoryGiB: z.number().positive(),
  os: z.string(),
  node: z.string(),
  /** Null without one, or when it was not asked for. */
  gpu: z.string().nullable(),
  /** Load averages of the last minute. */
  loadBefore: z.number(),
  loadAfter: z.number(),
});
export type Machine = z.infer<typeof machineSchema>;

const GIB = 1_073_741_824;

function osName(): string {
  try {
    const name = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
    if (name !== undefined) return `${name}, ${type()} ${release()}`;
  } catch {
    // Not every system has this file.
  }
  return `${type()} ${release()}`;
}

export const loadNow = (): number => Math.round(100 * (loadavg()[0] as number)) / 100;

export function describeMachine(gpu: string | null, loadBefore: number): Machine {
  return {
    cpu: (cpus()[0]?.model ?? "unknown").trim(),
    cores: availableParallelism(),
    memoryGiB: Math.round((10 * totalmem()) / GIB) / 10,
    os: osName(),
    node: process.version,
    gpu,
    loadBefore,
    loadAfter: loadNow(),
  };
}
