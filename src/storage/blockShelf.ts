// SPDX-License-Identifier: Apache-2.0
import type { ContentId } from "../protocol/contentStore.ts";
import type { BlockKey } from "./contentId.ts";

/** What a store remembers of an object it holds, beside its blocks. */
export interface ObjectRecord {
  /** Length of the object as a file. */
  readonly bytes: number;
  readonly served: boolean;
  readonly pinned: boolean;
}

/**
 * Where blocks and object records rest: memory or a folder. It knows nothing of who may see what.
 *
 * `putBlock` and `putRecord` resolve when what they wrote survives a crash of the process and, in a folder, of the
 * machine. Each is all or nothing.
 */
export interface BlockShelf {
  /** The block, or undefined when it is not here or is damaged. The caller must not write into it. */
  getBlock(key: BlockKey): Promise<Uint8Array | undefined>;
  /**
   * Part of a block, or undefined when it is not here or is shorter. Not hashed: the caller checks what it reads.
   */
  readBlock(key: BlockKey, offset: number, length: number): Promise<Uint8Array | undefined>;
  putBlock(key: BlockKey, bytes: Uint8Array): Promise<void>;
  /** Deleting what is not there is not an error. */
  deleteBlock(key: BlockKey): Promise<void>;
  blockKeys(): Promise<BlockKey[]>;

  putRecord(cid: ContentId, record: ObjectRecord): Promise<void>;
  deleteRecord(cid: ContentId): Promise<void>;
  records(): Promise<Map<ContentId, ObjectRecord>>;
}
