// SPDX-License-Identifier: Apache-2.0
import { EXIT, FoedusError } from "../protocol/errors.ts";

/** Why a backend of the wide kernels cannot compute. None of them says anything about the updates. */
export type KernelProblem =
  /** No adapter, no driver that works, or a device without what the kernels need. */
  | "GPU_UNAVAILABLE"
  /** The device was lost, or gave an error, while it computed. */
  | "GPU_FAILED"
  /** More than the backend's address space or the device's memory. */
  | "OUT_OF_MEMORY"
  /** A thread that computes ended. */
  | "THREAD_LOST"
  /** The WebAssembly module is missing: set-up builds it. */
  | "KERNELS_NOT_BUILT";

export class KernelError extends FoedusError {
  constructor(code: KernelProblem, message: string, values: Record<string, unknown> = {}, cause?: unknown) {
    // A process that insists on a GPU and has lost it can only be started again.
    super(code, message, {
      values,
      cause,
      exitCode: code === "GPU_FAILED" ? EXIT.unreachable : EXIT.verificationFailed,
    });
    this.name = "KernelError";
  }
}
