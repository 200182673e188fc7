// SPDX-License-Identifier: Apache-2.0
import { KernelError } from "../errors.ts";
import { describeAdapter, requestAdapter } from "./adapter.ts";
import { openWebgpu, type WebgpuFlags } from "./webgpuDoor.ts";

/** An opened device: what the kernels need of it, and what goes wrong with it in our words. */
export class GpuDevice {
  readonly name: string;
  readonly software: boolean;
  readonly flags: WebgpuFlags;
  readonly device: GPUDevice;
  readonly packedDot: boolean;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  /** What went wrong in the call under way. */
  #problem: KernelError | undefined;
  /** What went wrong for good. */
  #loss: KernelError | undefined;
  #closed = false;

  constructor(
    device: GPUDevice,
    { name, software, flags, packedDot }: Pick<GpuDevice, "name" | "software" | "flags" | "packedDot">,
  ) {
    this.device = device;
    this.name = name;
    this.software = software;
    this.flags = flags;
    this.packedDot = packedDot;
    device.onuncapturederror = ({ error }) => {
      this.#problem ??= isOutOfMemory(error)
        ? new KernelError("OUT_OF_MEMORY", `The GPU ${name} has not enough memory: ${firstLine(error.message)}`)
        : new KernelError("GPU_FAILED", `The GPU ${name} gave an error: ${firstLine(error.message)}`);
    };
    void device.lost.then(({ reason, message }) => {
      if (!this.#closed) this.#loss ??= lost(name, `${reason}: ${firstLine(message)}`);
    });
  }

  /** The compute pipeline of a shader, made once. */
  pipeline(code: string): Promise<GPUComputePipeline> {
    let pipeline = this.#pipelines.get(code);
    if (pipeline === undefined) {
      const module = this.device.createShaderModule({ code });
      pipeline = this.device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
      this.#pipelines.set(code, pipeline);
    }
    return pipeline;
  }

  /**
   * What `work` gives, unless the device failed meanwhile: then whatever it gave or threw is worth nothing.
   *
   * @throws KernelError GPU_FAILED or OUT_OF_MEMORY
   */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    this.#throwProblem();
    let result: T;
    try {
      result = await work();
    } catch (cause) {
      // Dawn tells why in an event after the promise that it rejects.
      await new Promise((resolve) => setImmediate(resolve));
      this.#throwProblem();
      const message = cause instanceof Error ? cause.message : String(cause);
      throw cause instanceof KernelError ? cause : lost(this.name, firstLine(message), cause);
    }
    this.#throwProblem();
    return result;
  }

  close(): void {
    this.#closed = true;
    this.device.destroy();
  }

  #throwProblem(): void {
    const problem = this.#loss ?? this.#problem;
    this.#problem = undefined;
    if (problem !== undefined) throw problem;
  }
}

/**
 * @throws KernelError GPU_UNAVAILABLE
 */
export async function openGpuDevice(): Promise<GpuDevice> {
  const { gpu, flags } = await openWebgpu();
  const adapter = await requestAdapter();
  if (adapter === null) throw new KernelError("GPU_UNAVAILABLE", "No GPU can be used: there is no adapter.");
  const described = describeAdapter(adapter);
  // WebGPU's default limits are all that the kernels need: bindings of 128 MiB, 16 KiB of workgroup memory.
  const device = await adapter.requestDevice().catch((cause: Error) => {
    throw new KernelError(
      "GPU_UNAVAILABLE",
      `The GPU ${described.name} cannot be opened: ${firstLine(cause.message)}`,
      {},
      cause,
    );
  });
  return new GpuDevice(device, {
    ...described,
    flags,
    packedDot: gpu.wgslLanguageFeatures.has("packed_4x8_integer_dot_product"),
  });
}

const lost = (name: string, why: string, cause?: unknown): KernelError =>
  new KernelError("GPU_FAILED", `The GPU ${name} was lost while it computed (${why}).`, {}, cause);

const isOutOfMemory = (error: GPUError): boolean =>
  error.constructor.name === "GPUOutOfMemoryError" ||
  /out of memory|OUT_OF_(?:DEVICE|HOST)_MEMORY/i.test(error.message);

const firstLine = (text: string): string => text.split("\n", 1)[0] as string;
