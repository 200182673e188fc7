// SPDX-License-Identifier: Apache-2.0
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import type { WideKernels } from "../../src/protocol/wideKernels.ts";
import { plainJsKernels } from "../peers/plainJs.ts";
import type { BackendName } from "./results.ts";

export interface Backend {
  readonly name: BackendName;
  readonly threads: number;
  readonly kernels: WideKernels;
}

export interface BackendChoice {
  /** Thread counts of the cpu backend. */
  readonly threads: readonly number[];
  readonly device: "auto" | "cpu" | "gpu";
  /** Whether a GPU that is a program on the CPU counts. */
  readonly softwareGpu: boolean;
}

export interface Opened {
  readonly backends: readonly Backend[];
  /** The device's name. */
  readonly gpu: string | null;
  /** Why something is not there. */
  readonly missing: readonly string[];
}

export const idOf = ({ name, threads }: Backend): string => `${name} ${threads}`;

/** Opens every backend of the table that was asked for and that this machine has. */
export async function openBackends(choice: BackendChoice): Promise<Opened> {
  const backends: Backend[] = [];
  const missing: string[] = [];
  for (const [name, open] of Object.entries(OPENERS)) {
    if (choice.device !== "auto" && choice.device !== name) continue;
    try {
      backends.push(...(await open(choice)));
    } catch (error) {
      missing.push(`Without ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const gpu = backends.find(({ name }) => name === "gpu")?.kernels.device.name ?? null;
  backends.push(
    { name: "plain-js", threads: 1, kernels: plainJsKernels },
    { name: "reference", threads: 1, kernels: referenceKernels },
  );
  return { backends, gpu, missing };
}

/** The fast backends; each opener throws where its device is missing. */
const OPENERS: Readonly<Record<string, (choice: BackendChoice) => Promise<Backend[]>>> = {};
