// SPDX-License-Identifier: Apache-2.0
import { KernelError } from "../errors.ts";
import { describeAdapter, requestAdapter } from "./adapter.ts";
import { gpuUnavailable } from "./unavailable.ts";
import { openWebgpu, type WebgpuFlags } from "./webgpuDoor.ts";

/** The kinds of errors that WebGPU reports aside instead of throwing them, the telling first: an allocation that failed makes others invalid. */
const ERROR_KINDS = ["out-of-memory", "internal", "validation"] as const satisfies readonly GPUErrorFilter[];

/** An opened device: what the kernels need of it, and what goes wrong with it in our words. */
export class GpuDevice {
  readonly name: string;
  readonly software: boolean;
  readonly flags: WebgpuFlags;
  readonly device: GPUDevice;
  readonly packedDot: boolean;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  /** An error that came while no call was under way. */
  #stray: GPUError | undefined;
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
      this.#stray ??= error;
    };
    void device.lost.then(({ reason, message }) => {
      if (!this.#closed) this.#loss = failed(name, `was lost while it computed (${reason}: ${firstLine(message)})`);
    });
  }

  /** The compute pipeline of a shader, made once. */
  pipeline(code: string): Promise<GPUComputePipeline> {
    let pipeline = this.#pipelines.get(code);
    if (pipeline === undefined) {
      const module = this.device.createShaderModule({ code });
      pipeline = this.device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
      this.#pipelines.set(code, pipeline);
      pipeline.catch(() => this.#pipelines.delete(code));
    }
    return pipeline;
  }

  /**
   * What `work` gives, unless the device failed meanwhile: then whatever it gave or threw is worth nothing. One at a time.
   *
   * @throws KernelError GPU_FAILED or OUT_OF_MEMORY
   */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    this.#throwIfLost();
    for (const kind of ERROR_KINDS) this.device.pushErrorScope(kind);
    const [outcome] = await Promise.allSettled([work()]);
    const error = (await this.#errors())[0] ?? this.#stray;
    this.#stray = undefined;
    // Dawn tells of a loss in an event after the promises that it rejects for it.
    if (outcome.status === "rejected") await new Promise((resolve) => setImmediate(resolve));
    this.#throwIfLost();
    if (error !== undefined) throw this.#inOurWords(error);
    if (outcome.status === "fulfilled") return outcome.value;
    // What is not WebGPU's is a defect, or has its words already.
    throw outcome.reason instanceof DOMException ? this.#inOurWords(outcome.reason) : outcome.reason;
  }

  close(): void {
    this.#closed = true;
    this.device.destroy();
  }

  /** Those reported since `guard` began, in the order of ERROR_KINDS. */
  async #errors(): Promise<GPUError[]> {
    const scopes = ERROR_KINDS.map(() => this.device.popErrorScope().catch(() => null));
    const errors = await Promise.all(scopes);
    return errors.reverse().filter((error) => error !== null);
  }

  #throwIfLost(): void {
    if (this.#loss !== undefined) throw this.#loss;
  }

  #inOurWords(error: GPUError | DOMException): KernelError {
    const message = firstLine(error.message) || (error as DOMException).name;
    return isOutOfMemory(error)
      ? new KernelError(
          "OUT_OF_MEMORY",
          `The GPU ${this.name} has not enough memory: ${message}. Free some of it, or use --device cpu.`,
          {},
          error,
        )
      : failed(this.name, `gave an error: ${message}`, error);
  }
}

/**
 * @throws KernelError GPU_UNAVAILABLE
 */
export async function openGpuDevice(): Promise<GpuDevice> {
  const { gpu, flags } = await openWebgpu();
  const adapter = await requestAdapter();
  if (adapter === null) throw gpuUnavailable("there is no adapter");
  const described = describeAdapter(adapter);
  // WebGPU's default limits are all that the kernels need: bindings of 128 MiB, 16 KiB of workgroup memory.
  const device = await adapter.requestDevice().catch((cause: Error) => {
    throw gpuUnavailable(`${described.name} cannot be opened (${firstLine(cause.message)})`, cause);
  });
  return new GpuDevice(device, {
    ...described,
    flags,
    packedDot: gpu.wgslLanguageFeatures.has("packed_4x8_integer_dot_product"),
  });
}

const failed = (name: string, what: string, cause?: unknown): KernelError =>
  new KernelError("GPU_FAILED", `The GPU ${name} ${what}. Start again, with --device cpu if it recurs.`, {}, cause);

const isOutOfMemory = (error: GPUError | DOMException): boolean =>
  error.constructor.name === "GPUOutOfMemoryError" ||
  /out of memory|OUT_OF_(?:DEVICE|HOST)_MEMORY/i.test(error.message);

const firstLine = (text: string): string => (text.split("\n", 1)[0] as string).replace(/\.$/, "");
