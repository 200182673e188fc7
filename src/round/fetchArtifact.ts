// SPDX-License-Identifier: Apache-2.0
import { type ByteSource, bytesInMemory } from "../protocol/byteSource.ts";
import type { ContentId, ContentStore, GetOptions } from "../protocol/contentStore.ts";

/**
 * An artifact's bytes, fetched and re-hashed, to be read where the store holds them; in memory only from a store that holds nothing, such as a
 * gateway.
 */
export async function fetchArtifact(store: ContentStore, id: ContentId, options: GetOptions): Promise<ByteSource> {
  if (!store.holds) return bytesInMemory(await store.get(id, options));
  for await (const _ of store.getStream(id, options)) {
    // Reading to the end is what holds it, also where it was held before and has been damaged since.
  }
  return store.open(id);
}
