// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { digestOfContentId } from "../../src/protocol/contentId.ts";
import type { ContentId, ContentStore } from "../../src/protocol/contentStore.ts";
import { MemoryNetwork, openMemoryStore } from "../../src/storage/memoryStore.ts";
import { storeCheckpoint } from "../../src/validator/round/storeCheckpoint.ts";
import type { ValidatorContext } from "../../src/validator/validatorContext.ts";

const CHECKPOINT = Uint8Array.from({ length: 3_000 }, (_, i) => i % 251);
const validator = (store: ContentStore): ValidatorContext => ({ store }) as unknown as ValidatorContext;

async function stored(): Promise<{ store: ContentStore; id: ContentId; cid: ReturnType<typeof digestOfContentId> }> {
  const id = await (await openMemoryStore(new MemoryNetwork())).put(CHECKPOINT);
  return { store: await openMemoryStore(new MemoryNetwork()), id, cid: digestOfContentId(id) };
}

/** A store with some of its calls answered otherwise. */
function like(store: ContentStore, calls: Partial<ContentStore>): ContentStore {
  const all: Partial<ContentStore> = {
    put: (bytes) => store.put(bytes),
    pin: (id) => store.pin(id),
    get: (id, options) => store.get(id, options),
    ...calls,
  };
  return all as ContentStore;
}

describe("storing the checkpoint before attesting", () => {
  it("holds and pins it, and does not serve it: the round is not final", async () => {
    const { store, id, cid } = await stored();
    const pinned: string[] = [];
    const watched = like(store, { pin: async (one) => void pinned.push(one) });
    await storeCheckpoint(validator(watched), CHECKPOINT, cid);
    assert.deepEqual([await store.has(id), await store.serves(id), pinned], [true, false, [id]]);
  });

  it("refuses to attest when the store gives back other bytes", async () => {
    const { store, cid } = await stored();
    const damaged = CHECKPOINT.slice();
    damaged[1_234] = (damaged[1_234] as number) ^ 1;
    const lying = like(store, { get: async () => damaged });
    await assert.rejects(storeCheckpoint(validator(lying), CHECKPOINT, cid), { code: "STORE_CORRUPT" });
  });

  it("refuses to attest when the bytes are not those of the name that was computed for them", async () => {
    const { store } = await stored();
    const other = digestOfContentId(await (await openMemoryStore(new MemoryNetwork())).put(Uint8Array.of(1)));
    await assert.rejects(storeCheckpoint(validator(store), CHECKPOINT, other), { code: "CONTENT_NOT_FOUND" });
  });
});
