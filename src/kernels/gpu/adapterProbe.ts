// SPDX-License-Identifier: Apache-2.0
/**
 * A process that opens the GPU, checks that it computes, and prints what it found as one line of JSON: a `ProbeAnswer`.
 *
 * A process of its own, because Dawn gives its reasons only on the standard error stream, and because a broken driver may take down, or hold
 * up for ever, the process that uses it.
 */
import { KernelError } from "../errors.ts";
import { checkKernels } from "./checkKernels.ts";
import { openGpuDevice } from "./gpuDevice.ts";
import { gpuKernelsOn } from "./gpuKernels.ts";
import type { ProbeAnswer } from "./probeAdapter.ts";

async function probe(): Promise<ProbeAnswer> {
  try {
    const device = await openGpuDevice();
    const kernels = gpuKernelsOn(device);
    await checkKernels(kernels);
    await kernels.close();
    return { found: { name: device.name, software: device.software } };
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { refused: typeof error.values.reason === "string" ? error.values.reason : error.message };
  }
}

process.stdout.write(`${JSON.stringify(await probe())}\n`);
