// SPDX-License-Identifier: Apache-2.0
import { Buffers } from "./buffers.ts";
import type { GpuDevice } from "./gpuDevice.ts";
import type { Payload } from "./payload.ts";
import { WORKGROUP } from "./shaders/payload.ts";

/** One tile on the device: where its payload and whatever is made from it lie, and the commands that make it. */
export interface TileContext {
  readonly payload: Payload;
  readonly buffers: Buffers;
  readonly encoder: GPUCommandEncoder;
  /** The payload as shaders bind it. */
  readonly uploaded: GPUBufferBinding;
}

/** The bytes that come back. */
export interface TileResults {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
}

/** What a kernel does with a tile: encodes commands and says what comes back, if anything. */
export type EncodeTile = (tile: TileContext) => TileResults | undefined;

/** Tiles under way: the next is copied in while the device computes on the last. */
const SLOTS = 2;

/** Uploads tile after tile and computes on each; the copying of one overlaps with computing on the one before. */
export class TilePass {
  readonly #device: GpuDevice;
  readonly #slots: readonly Buffers[];

  constructor(device: GpuDevice) {
    this.#device = device;
    this.#slots = Array.from({ length: SLOTS }, () => new Buffers(device));
  }

  /** @param consume takes a tile's results, in the tiles' order. They are gone when it returns. */
  async run(
    tiles: Iterable<Payload>,
    encode: EncodeTile,
    consume: (results: ArrayBuffer, payload: Payload) => void,
  ): Promise<void> {
    const done: Promise<void>[] = [];
    let slot = 0;
    try {
      for (const payload of tiles) {
        await done[slot];
        const buffers = this.#slots[slot] as Buffers;
        const bytes = Math.ceil(payload.byteLength / 4) * 4;
        const staging = await buffers.staging("staging", bytes);
        payload.write(new Uint8Array(staging.getMappedRange(0, bytes)));
        staging.unmap();
        const submitted = this.#submit(buffers, staging, bytes, payload, encode, consume);
        // A failure is thrown when the slot comes round again, or at the end; until then nobody listens.
        submitted.catch(() => {});
        done[slot] = submitted;
        slot = (slot + 1) % SLOTS;
      }
    } finally {
      // The buffers are used again: not before the device has done with them, whatever went wrong.
      await Promise.allSettled(done);
    }
    await Promise.all(done);
  }

  clear(): void {
    for (const buffers of this.#slots) buffers.clear();
  }

  async #submit(
    buffers: Buffers,
    staging: GPUBuffer,
    bytes: number,
    payload: Payload,
    encode: EncodeTile,
    consume: (results: ArrayBuffer, payload: Payload) => void,
  ): Promise<void> {
    const { device, flags } = this.#device;
    const uploaded = buffers.storage("payload", bytes);
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(staging, 0, uploaded, 0, bytes);
    const results = encode({ payload, buffers, encoder, uploaded: { buffer: uploaded } });
    const readback = results && buffers.readback("results", results.bytes);
    if (results && readback) encoder.copyBufferToBuffer(results.buffer, 0, readback, 0, results.bytes);
    device.queue.submit([encoder.finish()]);
    if (!results || !readback) {
      await device.queue.onSubmittedWorkDone();
      return;
    }
    await readback.mapAsync(flags.GPUMapMode.READ, 0, results.bytes);
    try {
      consume(readback.getMappedRange(0, results.bytes), payload);
    } finally {
      readback.unmap();
    }
  }
}

/** Sets a shader and what it reads and writes, by the numbers of the bindings that it uses. */
export function encodeShader(
  { device }: GpuDevice,
  pass: GPUComputePassEncoder,
  pipeline: GPUComputePipeline,
  bindings: readonly GPUBufferBinding[] | Readonly<Record<number, GPUBufferBinding>>,
): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: Object.entries(bindings).map(([binding, resource]) => ({ binding: Number(binding), resource })),
    }),
  );
}

/** Workgroups along one dimension. */
const DIMENSION_LIMIT = 32_768;

/** One thread for each of `threads` places, in as many dimensions as it takes; the other half of `placeOf` in the shaders. */
export function dispatchLinear(pass: GPUComputePassEncoder, threads: number): void {
  const groups = Math.ceil(threads / WORKGROUP);
  const across = Math.min(groups, DIMENSION_LIMIT);
  pass.dispatchWorkgroups(across, Math.ceil(groups / across));
}

/** Threads for each of `rows`, of which each takes about `perThread` of the row's places: every so-many-th of them. */
export function dispatchRows(pass: GPUComputePassEncoder, perRow: number, rows: number, perThread = 1): void {
  pass.dispatchWorkgroups(Math.min(Math.ceil(perRow / WORKGROUP / perThread), DIMENSION_LIMIT), rows);
}
