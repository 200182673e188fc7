// SPDX-License-Identifier: Apache-2.0
import type { GpuDevice } from "../../src/kernels/gpu/gpuDevice.ts";

/** What every WebGPU device lets a buffer have. */
const BYTES = 128 * 1_048_576;

/** Copies within a GPU's own memory: what a kernel there cannot exceed for data already uploaded. */
export class GpuCopy {
  readonly #device: GPUDevice;
  readonly #from: GPUBuffer;
  readonly #to: GPUBuffer;

  constructor({ device, flags: { GPUBufferUsage } }: GpuDevice) {
    this.#device = device;
    const make = (): GPUBuffer =>
      device.createBuffer({ size: BYTES, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    this.#from = make();
    this.#to = make();
  }

  /** Copies `times` over. @returns bytes that were read and written. */
  async run(times: number): Promise<number> {
    const encoder = this.#device.createCommandEncoder();
    for (let i = 0; i < times; i++) encoder.copyBufferToBuffer(this.#from, 0, this.#to, 0, BYTES);
    this.#device.queue.submit([encoder.finish()]);
    await this.#device.queue.onSubmittedWorkDone();
    return 2 * times * BYTES;
  }

  close(): void {
    this.#from.destroy();
    this.#to.destroy();
  }
}
