// SPDX-License-Identifier: Apache-2.0
import { EXIT, FoedusError } from "../protocol/errors.ts";

export type LearningErrorCode =
  /** An array's length or a label does not fit the model. */
  | "WRONG_SHAPE"
  /** The engine or the model cannot do what was asked (dropout masks, batches above a fixed size, …). */
  | "UNSUPPORTED"
  /** The engine's package is missing, or is not the exact build that validators agreed on. */
  | "ENGINE_UNAVAILABLE"
  /** An engine broke while it worked: its process ended, hung, or answered what no engine answers. */
  | "ENGINE_FAILED"
  /** Training left the finite numbers. */
  | "DIVERGED";

/** What a learning engine refuses, with the values behind it and what to do. */
export class LearningError extends FoedusError {
  declare readonly code: LearningErrorCode;

  constructor(code: LearningErrorCode, message: string, values: Record<string, unknown> = {}, cause?: unknown) {
    super(code, message, { exitCode: EXIT.usage, values, cause });
    this.name = "LearningError";
  }
}
