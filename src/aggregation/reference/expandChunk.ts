// SPDX-License-Identifier: Apache-2.0
import type { UpdateChunk } from "../../protocol/updateChunk.ts";

/** A chunk's values one by one, whatever form it came in. */
export function expandChunk(chunk: UpdateChunk): Int32Array {
  if (chunk.kind === "dense") return chunk.values;
  const values = new Int32Array(chunk.count);
  if (chunk.kind === "sparse") {
    for (const [i, index] of chunk.indices.entries()) values[index] = chunk.values[i] as number;
    return values;
  }
  const { bytes, valueBytes, blockSize, skip, count } = chunk;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const blockBytes = 4 + blockSize * valueBytes;
  for (let j = 0; j < count; j++) {
    const place = skip + j;
    const block = Math.floor(place / blockSize) * blockBytes;
    const at = block + 4 + (place % blockSize) * valueBytes;
    values[j] = view.getUint32(block) * (valueBytes === 2 ? view.getInt16(at) : view.getInt8(at));
  }
  return values;
}
