// SPDX-License-Identifier: Apache-2.0
import type { UpdateChunk } from "../protocol/updateChunk.ts";
import type { GramMatrix, KernelDevice, KernelMemory, WideKernels } from "../protocol/wideKernels.ts";
import { KernelError } from "./errors.ts";

/** Problems of a device that another device does not share. */
const OF_THE_DEVICE: readonly string[] = ["GPU_FAILED", "OUT_OF_MEMORY"];

/**
 * The wide kernels on one device until it fails, from then on those of another: since all give the same bits, and none changes what it is
 * given, the call that failed is simply made again.
 */
export class FallbackKernels implements WideKernels {
  readonly #first: WideKernels;
  #current: WideKernels;
  readonly #openOther: (reason: KernelError) => Promise<WideKernels>;
  #other: Promise<WideKernels> | undefined;

  /** @param openOther called at most once, with what went wrong with `first`. */
  constructor(first: WideKernels, openOther: (reason: KernelError) => Promise<WideKernels>) {
    this.#first = first;
    this.#current = first;
    this.#openOther = openOther;
  }

  get device(): KernelDevice {
    return this.#current.device;
  }

  allocate(bytes: number): KernelMemory {
    return this.#current.allocate(bytes);
  }

  weightedSum(updates: readonly UpdateChunk[], weights: Uint32Array, room?: Float64Array): Promise<Float64Array> {
    return this.#call((kernels) => kernels.weightedSum(updates, weights, room));
  }

  gram(updates: readonly UpdateChunk[]): Promise<GramMatrix> {
    return this.#call((kernels) => kernels.gram(updates));
  }

  squaredNorms(updates: readonly UpdateChunk[]): Promise<bigint[]> {
    return this.#call((kernels) => kernels.squaredNorms(updates));
  }

  squaredDistances(updates: readonly UpdateChunk[], z: UpdateChunk): Promise<bigint[]> {
    return this.#call((kernels) => kernels.squaredDistances(updates, z));
  }

  coordinateMedian(updates: readonly UpdateChunk[], room?: Float64Array): Promise<Float64Array> {
    return this.#call((kernels) => kernels.coordinateMedian(updates, room));
  }

  trimmedMean(updates: readonly UpdateChunk[], trim: number, room?: Float64Array): Promise<Float64Array> {
    return this.#call((kernels) => kernels.trimmedMean(updates, trim, room));
  }

  meanAroundMedian(updates: readonly UpdateChunk[], nearest: number, room?: Float64Array): Promise<Float64Array> {
    return this.#call((kernels) => kernels.meanAroundMedian(updates, nearest, room));
  }

  async close(): Promise<void> {
    await this.#other?.catch(() => {});
    await this.#current.close();
  }

  async #call<T>(compute: (kernels: WideKernels) => Promise<T>): Promise<T> {
    const kernels = this.#current;
    try {
      return await compute(kernels);
    } catch (error) {
      const failed = error instanceof KernelError && OF_THE_DEVICE.includes(error.code);
      if (!failed || kernels !== this.#first) throw error;
      return compute(await this.#changeOver(error));
    }
  }

  #changeOver(reason: KernelError): Promise<WideKernels> {
    this.#other ??= this.#openOther(reason).then(async (other) => {
      this.#current = other;
      await this.#first.close();
      return other;
    });
    return this.#other;
  }
}
