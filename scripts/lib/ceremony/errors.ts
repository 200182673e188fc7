// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../../../src/protocol/errors.ts";

/** A step of the ceremony found something it cannot vouch for and stopped. */
export class CeremonyError extends FoedusError {
  constructor(message: string, values: Record<string, unknown> = {}, cause?: unknown) {
    super("CEREMONY_REFUSED", message, { values, cause });
    this.name = "CeremonyError";
  }
}
