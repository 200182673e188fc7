// SPDX-License-Identifier: Apache-2.0
import { expandChunk } from "../../src/aggregation/reference/expandChunk.ts";
import type { UpdateSource } from "../../src/protocol/updateChunk.ts";

/** An update's values, read in one pass in chunks of the given sizes, of which the last is repeated. Default: all at once. */
export async function valuesOf(source: UpdateSource, sizes: readonly number[] = [source.size]): Promise<Int32Array> {
  const values = new Int32Array(source.size);
  const reader = await source.open();
  try {
    for (let at = 0, turn = 0; at < source.size; turn++) {
      const count = Math.min(sizes[Math.min(turn, sizes.length - 1)] as number, source.size - at);
      // At an odd address: memory for chunks need not be aligned.
      const memory = new Uint8Array(source.bytesPerChunk(count) + 1).subarray(1);
      values.set(expandChunk(await reader.read(count, memory)), at);
      at += count;
    }
  } finally {
    await reader.close();
  }
  return values;
}
