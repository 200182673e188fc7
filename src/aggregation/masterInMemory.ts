// SPDX-License-Identifier: Apache-2.0
import type { MasterFile } from "./aggregate.ts";

/** A master model that fits into memory: read from one array, written to another. */
export function masterInMemory(before: Float64Array): MasterFile & { readonly after: Float64Array } {
  const after = new Float64Array(before.length);
  return {
    after,
    read: async (offset, size) => before.subarray(offset, offset + size),
    write: async (offset, values) => after.set(values, offset),
  };
}
