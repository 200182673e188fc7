// SPDX-License-Identifier: Apache-2.0
import type { ContentId } from "../protocol/contentStore.ts";
import type { BlockShelf, ObjectRecord } from "./blockShelf.ts";
import type { BlockKey } from "./contentId.ts";

/** Blocks in memory, gone with the process. */
export class MemoryShelf implements BlockShelf {
  readonly #blocks = new Map<BlockKey, Uint8Array>();
  readonly #records = new Map<ContentId, ObjectRecord>();

  async getBlock(key: BlockKey): Promise<Uint8Array | undefined> {
    return this.#blocks.get(key);
  }

  async readBlock(key: BlockKey, offset: number, length: number): Promise<Uint8Array | undefined> {
    const block = this.#blocks.get(key);
    // A copy: in memory the block itself would be in the caller's hands.
    return block === undefined || block.length < offset + length ? undefined : block.slice(offset, offset + length);
  }

  async putBlock(key: BlockKey, bytes: Uint8Array): Promise<void> {
    // A copy: the bytes are the caller's, who may write into them later.
    if (!this.#blocks.has(key)) this.#blocks.set(key, new Uint8Array(bytes));
  }

  async deleteBlock(key: BlockKey): Promise<void> {
    this.#blocks.delete(key);
  }

  async blockKeys(): Promise<BlockKey[]> {
    return [...this.#blocks.keys()];
  }

  async putRecord(cid: ContentId, record: ObjectRecord): Promise<void> {
    this.#records.set(cid, record);
  }

  async deleteRecord(cid: ContentId): Promise<void> {
    this.#records.delete(cid);
  }

  async records(): Promise<Map<ContentId, ObjectRecord>> {
    return new Map(this.#records);
  }
}
