// SPDX-License-Identifier: Apache-2.0
import type { UpdateChunk } from "../../protocol/updateChunk.ts";
import { Buffers } from "./buffers.ts";
import type { GpuDevice } from "./gpuDevice.ts";
import { type Payload, type PayloadRow, tilesOf } from "./payload.ts";
import { DECODE_SHADER, SCATTER_SHADER } from "./shaders/decode.ts";
import { INT32_SUM } from "./shaders/orderStatistics.ts";
import {
  dispatchRows,
  type EncodeTile,
  encodeShader,
  type TileContext,
  TilePass,
  type TileResults,
} from "./tilePass.ts";
import type { GpuTuning } from "./tuning.ts";

/** Takes a tile's results, which are gone when it returns. */
export type Consume = (results: ArrayBuffer, payload: Payload) => void;

/** What the kernels have in common: the ways in which updates pass through the device. */
export class Engine {
  readonly gpu: GpuDevice;
  readonly tuning: GpuTuning;
  readonly #tiles: TilePass;
  readonly #shared: Buffers;

  constructor(gpu: GpuDevice, tuning: GpuTuning) {
    this.gpu = gpu;
    this.tuning = {
      tileBytes: Math.min(tuning.tileBytes, Math.floor(gpu.device.limits.maxStorageBufferBindingSize / 4)),
      registerUpdates: Math.min(tuning.registerUpdates, INT32_SUM),
      packedDot: tuning.packedDot && gpu.packedDot,
    };
    this.#tiles = new TilePass(gpu);
    this.#shared = new Buffers(gpu);
  }

  /**
   * One call of a kernel; the next begins after it.
   *
   * @throws KernelError GPU_FAILED or OUT_OF_MEMORY; unless the device is lost, the next call finds it in order.
   */
  async call<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.gpu.guard(work);
    } catch (error) {
      this.#tiles.clear();
      this.#shared.clear();
      throw error;
    }
  }

  /** @param outputBytes of results for each coordinate. */
  async overPayload(
    rows: readonly PayloadRow[],
    outputBytes: number,
    encode: EncodeTile,
    consume: Consume,
  ): Promise<void> {
    const tiles = tilesOf(rows, { tileBytes: this.tuning.tileBytes, outputBytes, matrix: false });
    await this.#tiles.run(tiles, encode, consume);
  }

  /**
   * Over the updates as an int32 matrix, a row for each: the payload itself where all are dense, else decoded on the device.
   *
   * @param setting for the kernel, in the payload's head.
   */
  async overMatrix(
    updates: readonly UpdateChunk[],
    setting: number,
    encode: (tile: TileContext, matrix: GPUBufferBinding) => TileResults | undefined,
    consume: Consume = () => {},
  ): Promise<void> {
    const decode = await this.gpu.pipeline(DECODE_SHADER);
    const scatter = await this.gpu.pipeline(SCATTER_SHADER);
    const rows = updates.map((chunk) => ({ chunk }));
    const tiles = tilesOf(rows, { tileBytes: this.tuning.tileBytes, outputBytes: 8, matrix: true }, [setting]);
    const matrixOf = ({ payload, buffers, encoder, uploaded }: TileContext): GPUBufferBinding => {
      const { matrixOffset, stride, mostEntries } = payload;
      const size = 4 * stride * payload.rows;
      if (matrixOffset !== undefined) return { ...uploaded, offset: matrixOffset, size };
      const matrix = { buffer: buffers.storage("matrix", size) };
      const pass = encoder.beginComputePass();
      encodeShader(this.gpu, pass, decode, [uploaded, uploaded, matrix]);
      dispatchRows(pass, stride / 4, payload.rows);
      if (mostEntries > 0) {
        encodeShader(this.gpu, pass, scatter, { 0: uploaded, 2: matrix });
        dispatchRows(pass, mostEntries, payload.rows);
      }
      pass.end();
      return { ...matrix, size };
    };
    await this.#tiles.run(tiles, (tile) => encode(tile, matrixOf(tile)), consume);
  }

  /** `count` int64 numbers that begin as 0, to which `work` makes the device add. */
  async int64Totals(count: number, work: (totals: GPUBufferBinding) => Promise<void>): Promise<BigInt64Array> {
    const { device, flags } = this.gpu;
    const bytes = 8 * count;
    const totals = this.#shared.storage("totals", bytes);
    const clear = device.createCommandEncoder();
    clear.clearBuffer(totals, 0, bytes);
    device.queue.submit([clear.finish()]);
    await work({ buffer: totals, size: bytes });
    const readback = this.#shared.readback("readback", bytes);
    const copy = device.createCommandEncoder();
    copy.copyBufferToBuffer(totals, 0, readback, 0, bytes);
    device.queue.submit([copy.finish()]);
    await readback.mapAsync(flags.GPUMapMode.READ, 0, bytes);
    const result = new BigInt64Array(readback.getMappedRange(0, bytes).slice(0));
    readback.unmap();
    return result;
  }
}
