// SPDX-License-Identifier: Apache-2.0
import { EXIT, FoedusError } from "../protocol/errors.ts";

export type DataErrorCode =
  /** The file cannot be opened or read. */
  | "UNREADABLE"
  /** The file is not where it was looked for. */
  | "MISSING_FILE"
  /** The file's SHA-256 is not that of the published data set. */
  | "WRONG_DIGEST"
  /** The bytes are not of the format: magic, version, sizes or checksum. */
  | "BAD_FORMAT"
  /** Larger than the reader was told to accept. */
  | "TOO_LARGE"
  /** A row, number or label is not what the options say the file holds. */
  | "BAD_ROW"
  /** No way was found to deal the samples under the given conditions. */
  | "CANNOT_DEAL";

/** Why a dataset could not be read or dealt, with the place and the values. */
export class DataError extends FoedusError {
  declare readonly code: DataErrorCode;

  constructor(code: DataErrorCode, message: string, values: Record<string, unknown> = {}, cause?: unknown) {
    super(code, message, { exitCode: EXIT.usage, values, cause });
    this.name = "DataError";
  }
}
