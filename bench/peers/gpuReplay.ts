// SPDX-License-Identifier: Apache-2.0
import type { GpuDevice } from "../../src/kernels/gpu/gpuDevice.ts";
import { gpuKernelsOn } from "../../src/kernels/gpu/gpuKernels.ts";
import { DEFAULT_TUNING } from "../../src/kernels/gpu/tuning.ts";
import type { WideKernels } from "../../src/protocol/wideKernels.ts";

/** What a kernel makes a pass do. */
const COMMANDS = ["setPipeline", "setBindGroup", "dispatchWorkgroups", "dispatchWorkgroupsIndirect"] as const;
type Command = (pass: GPUComputePassEncoder) => void;

/** What a kernel did with one tile of updates: the bytes that it uploaded, and the commands that it then gave. */
interface Tile {
  uploaded: number;
  readonly passes: Command[][];
}

/** Tiles whose data is on the device at the end of a call: each has buffers of its own. */
const TILES = 2;
/** Each leaves TILES tiles; together they are several times any cache. */
const ENGINES = 4;

/** Coordinates of updates that fill TILES tiles, the last of them nearly. @param bytes of a coordinate of all updates. */
export const uploadedLength = (bytes: number): number =>
  128 * Math.floor((0.98 * TILES * DEFAULT_TUNING.tileBytes) / bytes / 128);

/**
 * Notes what kernels make a device compute, so that it can be computed again on data that is there already: what a kernel costs without the
 * uploads, which WebGPU's own clocks would tell only devices that offer them.
 */
export class GpuReplay {
  readonly #device: GPUDevice;
  readonly #create: GPUDevice["createCommandEncoder"];
  readonly #engines: readonly WideKernels[];
  #noted: Tile[] | undefined;

  /** @param gpu has its encoders watched from now on. */
  constructor(gpu: GpuDevice) {
    const { device } = gpu;
    this.#device = device;
    this.#create = device.createCommandEncoder.bind(device);
    device.createCommandEncoder = (descriptor) => this.#watched(this.#create(descriptor));
    this.#engines = Array.from({ length: ENGINES }, () => gpuKernelsOn(gpu));
  }

  /** Has several engines do `work`, one call of a kernel. @returns what they leave on the device. */
  async note(work: (kernels: WideKernels, engine: number) => Promise<unknown>): Promise<readonly Tile[]> {
    const tiles: Tile[] = [];
    for (const [at, kernels] of this.#engines.entries()) {
      this.#noted = [];
      await work(kernels, at);
      tiles.push(...this.#noted.filter(({ passes }) => passes.length > 0).slice(-TILES));
    }
    this.#noted = undefined;
    if (tiles.length === 0) throw new Error("The kernel made the device compute nothing.");
    return tiles;
  }

  /** Computes on each of the tiles, `times` over. @returns bytes of updates that were computed on. */
  async run(tiles: readonly Tile[], times: number): Promise<number> {
    const encoder = this.#create();
    for (let i = 0; i < times; i++) {
      for (const commands of tiles.flatMap(({ passes }) => passes)) {
        const pass = encoder.beginComputePass();
        for (const command of commands) command(pass);
        pass.end();
      }
    }
    this.#device.queue.submit([encoder.finish()]);
    await this.#device.queue.onSubmittedWorkDone();
    return times * tiles.reduce((sum, { uploaded }) => sum + uploaded, 0);
  }

  #watched(encoder: GPUCommandEncoder): GPUCommandEncoder {
    if (this.#noted === undefined) return encoder;
    const tile: Tile = { uploaded: 0, passes: [] };
    this.#noted.push(tile);
    const copy = encoder.copyBufferToBuffer.bind(encoder) as (...args: unknown[]) => undefined;
    encoder.copyBufferToBuffer = (...args: unknown[]) => {
      // What is copied before anything is computed is the upload.
      if (tile.passes.length === 0) tile.uploaded += Number(args.at(-1));
      return copy(...args);
    };
    const begin = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (descriptor) => {
      const commands: Command[] = [];
      tile.passes.push(commands);
      return watchedPass(begin(descriptor), commands);
    };
    return encoder;
  }
}

function watchedPass(pass: GPUComputePassEncoder, commands: Command[]): GPUComputePassEncoder {
  for (const name of COMMANDS) {
    const original = (pass[name] as (...args: unknown[]) => undefined).bind(pass);
    Object.defineProperty(pass, name, {
      value: (...args: unknown[]) => {
        commands.push((later) => (later[name] as (...args: unknown[]) => undefined)(...args));
        return original(...args);
      },
    });
  }
  return pass;
}
