// SPDX-License-Identifier: Apache-2.0
import { type Logger, SILENT } from "../protocol/logger.ts";
import type { Device, WideKernels } from "../protocol/wideKernels.ts";
import { KernelError } from "./errors.ts";
import { FallbackKernels } from "./fallbackKernels.ts";

export interface KernelOptions {
  readonly device: Device;
  /** Threads of the cpu backend; all the processor has when left out. */
  readonly threads?: number | undefined;
  readonly logger?: Logger;
}

/**
 * The wide kernels on the device asked for. `auto` takes a GPU if there is a real one whose driver works, else the processor, and says once
 * which and why; should the GPU fail later, it says so once and goes on with the processor. `gpu` takes a GPU, one in software too, or fails,
 * also later.
 *
 * @throws KernelError GPU_UNAVAILABLE with `gpu`; KERNELS_NOT_BUILT
 */
export async function openKernels({ device, threads, logger = SILENT }: KernelOptions): Promise<WideKernels> {
  const kernels = device === "cpu" ? undefined : await openGpu(device, threads, logger);
  const opened = kernels ?? (await openCpu(threads));
  logger.info(deviceFields(opened), "aggregation device");
  return opened;
}

async function openCpu(threads: number | undefined): Promise<WideKernels> {
  const { openCpuKernels } = await import("./cpu/cpuKernels.ts");
  return openCpuKernels(threads === undefined ? {} : { threads });
}

async function openGpu(
  device: "auto" | "gpu",
  threads: number | undefined,
  logger: Logger,
): Promise<WideKernels | undefined> {
  const { openGpuKernels } = await import("./gpu/gpuKernels.ts");
  try {
    const kernels = await openGpuKernels({ allowSoftware: device === "gpu", logger });
    return device === "gpu" ? kernels : withFallback(kernels, threads, logger);
  } catch (error) {
    if (device === "gpu" || !(error instanceof KernelError) || error.code !== "GPU_UNAVAILABLE") throw error;
    logger.info({ reason: error.values.reason }, "no GPU is used for aggregation");
    return undefined;
  }
}

/** `auto`: kernels that change over to the processor, and say so, when their device fails. */
export function withFallback(kernels: WideKernels, threads: number | undefined, logger: Logger): WideKernels {
  return new FallbackKernels(kernels, async (reason) => {
    const cpu = await openCpu(threads);
    logger.warn(
      { code: reason.code, reason: reason.message, ...deviceFields(cpu) },
      "the GPU failed; aggregation goes on with the processor",
    );
    return cpu;
  });
}

/** What computes, as fields of a log line, where `name` already names the participant. */
function deviceFields({ device }: WideKernels): Record<string, unknown> {
  return { backend: device.backend, device: device.name, threads: device.threads };
}
