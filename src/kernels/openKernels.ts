// SPDX-License-Identifier: Apache-2.0
import { type Logger, SILENT } from "../protocol/logger.ts";
import type { Device, WideKernels } from "../protocol/wideKernels.ts";
import { KernelError } from "./errors.ts";

export interface KernelOptions {
  readonly device: Device;
  /** Threads of the cpu backend; all the processor has when left out. */
  readonly threads?: number | undefined;
  readonly logger?: Logger;
}

/**
 * The wide kernels on the device asked for. `auto` takes a GPU if there is a real one whose driver works, else the processor, and says once
 * which and why; `gpu` takes a GPU, one in software too, or fails.
 *
 * @throws KernelError GPU_UNAVAILABLE with `gpu`; KERNELS_NOT_BUILT
 */
export async function openKernels({ device, threads, logger = SILENT }: KernelOptions): Promise<WideKernels> {
  const kernels = device === "cpu" ? undefined : await openGpu(device, logger);
  const opened = kernels ?? (await openCpu(threads));
  logger.info({ ...opened.device }, "aggregation device");
  return opened;
}

async function openCpu(threads: number | undefined): Promise<WideKernels> {
  const { openCpuKernels } = await import("./cpu/cpuKernels.ts");
  return openCpuKernels(threads === undefined ? {} : { threads });
}

async function openGpu(device: "auto" | "gpu", logger: Logger): Promise<WideKernels | undefined> {
  const { openGpuKernels } = await import("./gpu/gpuKernels.ts");
  try {
    return await openGpuKernels({ allowSoftware: device === "gpu", logger });
  } catch (error) {
    if (device === "gpu" || !(error instanceof KernelError) || error.code !== "GPU_UNAVAILABLE") throw error;
    logger.info({ reason: error.message }, "no GPU is used for aggregation");
    return undefined;
  }
}
