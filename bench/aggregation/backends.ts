// SPDX-License-Identifier: Apache-2.0
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import { openCpuKernels, withThreads } from "../../src/kernels/cpu/cpuKernels.ts";
import { openGpuDevice } from "../../src/kernels/gpu/gpuDevice.ts";
import { gpuKernelsOn } from "../../src/kernels/gpu/gpuKernels.ts";
import { probeAdapter } from "../../src/kernels/gpu/probeAdapter.ts";
import type { WideKernels } from "../../src/protocol/wideKernels.ts";
import { GpuCopy } from "../peers/gpuCopy.ts";
import { GpuReplay } from "../peers/gpuReplay.ts";
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

export interface OpenedGpu {
  readonly name: string;
  readonly copy: GpuCopy;
  readonly replay: GpuReplay;
}

export interface Opened {
  readonly backends: readonly Backend[];
  readonly gpu: OpenedGpu | null;
  /** Why something is not there. */
  readonly missing: readonly string[];
}

export const idOf = ({ name, threads }: Backend): string => `${name} ${threads}`;

/** Opens what was asked for and what this machine has. */
export async function openBackends({ threads, device, softwareGpu }: BackendChoice): Promise<Opened> {
  const backends: Backend[] = [];
  const missing: string[] = [];
  const without = (name: string, error: unknown): void => {
    missing.push(`Without ${name}: ${error instanceof Error ? error.message : String(error)}`);
  };
  if (device !== "gpu") {
    try {
      const cpu = await openCpuKernels({ threads: Math.max(...threads) });
      for (const count of threads) backends.push({ name: "cpu", threads: count, kernels: withThreads(cpu, count) });
    } catch (error) {
      without("cpu", error);
    }
  }
  let gpu: OpenedGpu | null = null;
  if (device !== "cpu") {
    try {
      const opened = await openGpu(softwareGpu);
      gpu = opened;
      backends.push({ name: "gpu", threads: 1, kernels: opened.kernels });
    } catch (error) {
      without("gpu", error);
    }
  }
  backends.push(
    { name: "plain-js", threads: 1, kernels: plainJsKernels },
    { name: "reference", threads: 1, kernels: referenceKernels },
  );
  return { backends, gpu, missing };
}

async function openGpu(softwareGpu: boolean): Promise<OpenedGpu & { readonly kernels: WideKernels }> {
  // In another process first: a broken driver may end the one that tries it.
  const { name, software } = await probeAdapter();
  if (software && !softwareGpu)
    throw new Error(`${name} is a program on the processor; --software-gpu measures it all the same.`);
  const device = await openGpuDevice();
  return {
    name: software ? `${name} (a program on the processor)` : name,
    kernels: gpuKernelsOn(device),
    copy: new GpuCopy(device),
    replay: new GpuReplay(device),
  };
}
