// SPDX-License-Identifier: Apache-2.0
import { type Logger, SILENT } from "../../protocol/logger.ts";
import type { UpdateChunk } from "../../protocol/updateChunk.ts";
import type { GramMatrix, KernelDevice, KernelMemory, WideKernels } from "../../protocol/wideKernels.ts";
import { KernelError } from "../errors.ts";
import { Engine } from "./engine.ts";
import { type GpuDevice, openGpuDevice } from "./gpuDevice.ts";
import { gram } from "./gram.ts";
import { squaredNorms } from "./norms.ts";
import { coordinateMedian, meanAroundMedian, trimmedMean } from "./orderStatistics.ts";
import { probeAdapterOnce } from "./probeAdapter.ts";
import { DEFAULT_TUNING, type GpuTuning } from "./tuning.ts";
import { gpuUnavailable } from "./unavailable.ts";
import { weightedSum } from "./weightedSum.ts";

/** The wide kernels on a GPU. */
export interface GpuKernels extends WideKernels {
  /** Whether the "GPU" is a driver that computes on this processor: right, but slower than the `cpu` backend. */
  readonly software: boolean;
}

export interface GpuOptions {
  /** Whether a software driver will do (default); if not, finding nothing else is GPU_UNAVAILABLE. */
  readonly allowSoftware?: boolean;
  readonly logger?: Logger;
  readonly tuning?: Partial<GpuTuning>;
}

/**
 * Opens the fastest GPU that Dawn finds (Vulkan on Linux, Metal on macOS, Direct3D 12 on Windows).
 *
 * @throws KernelError GPU_UNAVAILABLE with the reason
 */
export async function openGpuKernels({
  allowSoftware = true,
  logger = SILENT,
  tuning,
}: GpuOptions = {}): Promise<GpuKernels> {
  const { name, software } = await probeAdapterOnce();
  if (software && !allowSoftware)
    throw gpuUnavailable(
      `the only one, ${name}, is a program that computes on the processor, slower than the cpu backend`,
    );
  const device = await openGpuDevice();
  logger.debug({ gpu: device.name, software: device.software, packedDot: device.packedDot }, "GPU opened");
  return gpuKernelsOn(device, tuning);
}

/** The kernels on a device that is open already, which they own from now on. */
export function gpuKernelsOn(device: GpuDevice, tuning: Partial<GpuTuning> = {}): GpuKernels {
  return new DeviceKernels(new Engine(device, { ...DEFAULT_TUNING, ...tuning }));
}

class DeviceKernels implements GpuKernels {
  readonly device: KernelDevice;
  readonly software: boolean;
  readonly #engine: Engine;
  /** Calls take turns: the device's memory is one call's, however many wait. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(engine: Engine) {
    const { name, software } = engine.gpu;
    this.#engine = engine;
    this.software = software;
    this.device = { backend: "gpu", name, threads: 1 };
  }

  allocate(bytes: number): KernelMemory {
    try {
      return { bytes: new Uint8Array(bytes), free: () => {} };
    } catch (cause) {
      throw new KernelError("OUT_OF_MEMORY", `${bytes} bytes for updates cannot be held in memory.`, { bytes }, cause);
    }
  }

  weightedSum(updates: readonly UpdateChunk[], weights: Uint32Array): Promise<Float64Array> {
    return this.#inTurn(() => weightedSum(this.#engine, updates, weights));
  }

  gram(updates: readonly UpdateChunk[]): Promise<GramMatrix> {
    return this.#inTurn(() => gram(this.#engine, updates));
  }

  squaredNorms(updates: readonly UpdateChunk[]): Promise<bigint[]> {
    return this.#inTurn(() => squaredNorms(this.#engine, updates));
  }

  squaredDistances(updates: readonly UpdateChunk[], z: UpdateChunk): Promise<bigint[]> {
    return this.#inTurn(() => squaredNorms(this.#engine, updates, z));
  }

  coordinateMedian(updates: readonly UpdateChunk[]): Promise<Float64Array> {
    return this.#inTurn(() => coordinateMedian(this.#engine, updates));
  }

  trimmedMean(updates: readonly UpdateChunk[], trim: number): Promise<Float64Array> {
    return this.#inTurn(() => trimmedMean(this.#engine, updates, trim));
  }

  meanAroundMedian(updates: readonly UpdateChunk[], nearest: number): Promise<Float64Array> {
    return this.#inTurn(() => meanAroundMedian(this.#engine, updates, nearest));
  }

  async close(): Promise<void> {
    await this.#turn;
    this.#engine.gpu.close();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => this.#engine.call(work));
    this.#turn = result.catch(() => {});
    return result;
  }
}
