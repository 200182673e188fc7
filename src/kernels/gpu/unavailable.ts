// SPDX-License-Identifier: Apache-2.0
import { KernelError } from "../errors.ts";

const NEXT = "Use --device cpu; what a GPU needs is in docs/running-a-consortium.md, A GPU for validators";

/**
 * The refusal of a GPU, with what to do next.
 *
 * @param reason a clause without a full stop; also among the error's values.
 */
export function gpuUnavailable(reason: string, cause?: unknown): KernelError {
  return new KernelError("GPU_UNAVAILABLE", `No GPU can be used: ${reason}. ${NEXT}.`, { reason }, cause);
}
