// SPDX-License-Identifier: Apache-2.0
import type { GpuDevice } from "./gpuDevice.ts";

/** Buffers by role that grow when more is asked for and are used again: one tile's, or those of a whole call. */
export class Buffers {
  readonly #device: GpuDevice;
  readonly #held = new Map<string, GPUBuffer>();

  constructor(device: GpuDevice) {
    this.#device = device;
  }

  /** Read and written by shaders; what it holds at first is what the last user left. */
  storage(role: string, bytes: number): GPUBuffer {
    const { STORAGE, COPY_SRC, COPY_DST, INDIRECT } = this.#device.flags.GPUBufferUsage;
    return this.#get(role, bytes, STORAGE | COPY_SRC | COPY_DST | INDIRECT);
  }

  /** For results on their way back. */
  readback(role: string, bytes: number): GPUBuffer {
    const { MAP_READ, COPY_DST } = this.#device.flags.GPUBufferUsage;
    return this.#get(role, bytes, MAP_READ | COPY_DST);
  }

  /** For what is uploaded, mapped for writing. */
  async staging(role: string, bytes: number): Promise<GPUBuffer> {
    const { MAP_WRITE, COPY_SRC } = this.#device.flags.GPUBufferUsage;
    const buffer = this.#get(role, bytes, MAP_WRITE | COPY_SRC);
    if (buffer.mapState === "unmapped") await buffer.mapAsync(this.#device.flags.GPUMapMode.WRITE);
    return buffer;
  }

  /** Gives them all back. After an error some may be unusable. */
  clear(): void {
    for (const buffer of this.#held.values()) buffer.destroy();
    this.#held.clear();
  }

  #get(role: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const key = `${role} ${usage}`;
    const held = this.#held.get(key);
    if (held !== undefined && held.size >= bytes) return held;
    held?.destroy();
    const buffer = this.#device.device.createBuffer({ size: Math.ceil(bytes / 256) * 256, usage });
    this.#held.set(key, buffer);
    return buffer;
  }
}
