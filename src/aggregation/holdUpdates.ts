// SPDX-License-Identifier: Apache-2.0
import { chunkInMemory, type UpdateSource } from "../protocol/updateChunk.ts";

/**
 * The same updates, held in memory in their encoded form if all of them together take at most `maxBytes`; otherwise as they are. Worth it where
 * they are read often, as for scores.
 */
export async function holdUpdates<T extends UpdateSource>(
  updates: readonly T[],
  maxBytes: number,
): Promise<readonly T[]> {
  const bytes = updates.reduce((sum, update) => sum + update.bytesPerChunk(update.size), 0);
  if (bytes > maxBytes) return updates;
  const held: T[] = [];
  for (const update of updates) {
    const reader = await update.open();
    try {
      const whole = await reader.read(update.size, new Uint8Array(update.bytesPerChunk(update.size)));
      held.push({ ...update, ...chunkInMemory(whole) });
    } finally {
      await reader.close();
    }
  }
  return held;
}
