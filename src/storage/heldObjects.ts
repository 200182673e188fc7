// SPDX-License-Identifier: Apache-2.0
import type { ContentId, Reclaimed } from "../protocol/contentStore.ts";
import type { BlockShelf, ObjectRecord } from "./blockShelf.ts";
import { type BlockKey, blockKeyOf } from "./contentId.ts";
import { ContentMismatch, ContentNotFound } from "./errors.ts";
import { listTree } from "./readTree.ts";

interface HeldObject extends ObjectRecord {
  readonly keys: readonly BlockKey[];
}

/** The blocks that peers may see. This view is all that an exchange is given of a store. */
export interface ServedBlocks {
  has(key: BlockKey): boolean;
  /** The block, or undefined when it is not served, or is damaged. */
  get(key: BlockKey): Promise<Uint8Array | undefined>;
}

/**
 * What a store holds: which objects, which blocks belong to them, and which of those are served.
 *
 * Blocks are shared between objects, and an object that is being put, fetched or read has blocks before it has a
 * record. So each block has a count of those that need it: held objects and open leases. At zero it is deleted; a lease
 * that ends without its object having been recorded therefore leaves nothing.
 */
export class HeldObjects {
  readonly #shelf: BlockShelf;
  readonly #objects = new Map<ContentId, HeldObject>();
  readonly #needed = new Map<BlockKey, number>();
  readonly #served = new Map<BlockKey, number>();
  /** Last operation on each block: a deletion and a put of one block must not overtake each other. */
  readonly #turns = new Map<string, Promise<unknown>>();

  /** The served blocks, and nothing else. */
  readonly servedBlocks: ServedBlocks = {
    has: (key) => this.#served.has(key),
    get: async (key) => (this.#served.has(key) ? this.#shelf.getBlock(key) : undefined),
  };

  private constructor(shelf: BlockShelf) {
    this.#shelf = shelf;
  }

  /**
   * Takes up what an earlier life of the process left. Objects that are no longer complete are given up.
   *
   * @param onLost Told of each of those: a pinned one was promised to somebody.
   */
  static async open(shelf: BlockShelf, onLost: (cid: ContentId, record: ObjectRecord) => void): Promise<HeldObjects> {
    const held = new HeldObjects(shelf);
    const present = new Set(await shelf.blockKeys());
    for (const [cid, record] of await shelf.records()) {
      const keys = await completeTree(cid, record.bytes, shelf, present);
      if (keys === undefined) {
        onLost(cid, record);
        await shelf.deleteRecord(cid);
      } else {
        held.#add(cid, { ...record, keys });
      }
    }
    return held;
  }

  has(cid: ContentId): boolean {
    return this.#objects.has(cid);
  }

  serves(cid: ContentId): boolean {
    return this.#objects.get(cid)?.served ?? false;
  }

  /** @throws ContentNotFound */
  bytesOf(cid: ContentId): number {
    return this.#held(cid).bytes;
  }

  /**
   * Part of a held object's leaf, not hashed; undefined when it is no longer here.
   */
  readBlock(key: BlockKey, offset: number, length: number): Promise<Uint8Array | undefined> {
    return this.#shelf.readBlock(key, offset, length);
  }

  /** Marks as served, durably first, and returns the blocks that peers can now see. @throws ContentNotFound */
  async serve(cid: ContentId): Promise<readonly BlockKey[]> {
    await this.#change(cid, { served: true });
    return this.#held(cid).keys;
  }

  /** @throws ContentNotFound when pinning what is not held. */
  async setPinned(cid: ContentId, pinned: boolean): Promise<void> {
    if (pinned || this.has(cid)) await this.#change(cid, { pinned });
  }

  lease(): Lease {
    const keys = new Set<BlockKey>();
    let ended = false;
    const keep = (key: BlockKey): void => {
      if (ended) throw new Error("This lease has ended.");
      if (keys.has(key)) return;
      keys.add(key);
      this.#need(key);
    };
    return {
      get: async (key) => {
        keep(key);
        return this.#inTurn(key, () => this.#shelf.getBlock(key));
      },
      put: async (key, bytes) => {
        keep(key);
        return this.#inTurn(key, () => this.#shelf.putBlock(key, bytes));
      },
      record: (cid, bytes) =>
        this.#inTurn(cid, async () => {
          if (this.#objects.has(cid)) return;
          const record = { bytes, served: false, pinned: false };
          await this.#shelf.putRecord(cid, record);
          this.#add(cid, { ...record, keys: [...keys] });
        }),
      end: async () => {
        if (ended) return;
        ended = true;
        const ending = [...keys];
        await Promise.all(ending.map((key) => this.#release(key)));
      },
    };
  }

  /** Drops objects that are neither pinned nor served, and blocks that a crash left without an object. */
  async reclaim(): Promise<Reclaimed> {
    const reclaimed = { objects: 0, bytes: 0 };
    for (const cid of [...this.#objects.keys()]) {
      const dropped = await this.#inTurn(cid, () => this.#drop(cid));
      if (dropped === undefined) continue;
      reclaimed.objects++;
      reclaimed.bytes += dropped.bytes;
      await Promise.all(dropped.keys.map((key) => this.#release(key)));
    }
    for (const key of await this.#shelf.blockKeys()) await this.#deleteUnneeded(key);
    return reclaimed;
  }

  async #drop(cid: ContentId): Promise<HeldObject | undefined> {
    const object = this.#objects.get(cid);
    if (object === undefined || object.served || object.pinned) return undefined;
    this.#objects.delete(cid);
    await this.#shelf.deleteRecord(cid);
    return object;
  }

  #held(cid: ContentId): HeldObject {
    const object = this.#objects.get(cid);
    if (object === undefined) throw new ContentNotFound(cid, "held by this store; put or get it first");
    return object;
  }

  #add(cid: ContentId, object: HeldObject): void {
    this.#objects.set(cid, object);
    for (const key of object.keys) {
      this.#need(key);
      if (object.served) increment(this.#served, key);
    }
  }

  #change(cid: ContentId, change: Partial<Pick<ObjectRecord, "served" | "pinned">>): Promise<void> {
    return this.#inTurn(cid, async () => {
      const before = this.#held(cid);
      const after = { ...before, ...change };
      if (before.served === after.served && before.pinned === after.pinned) return;
      await this.#shelf.putRecord(cid, after);
      this.#objects.set(cid, after);
      if (after.served && !before.served) for (const key of after.keys) increment(this.#served, key);
    });
  }

  #need(key: BlockKey): void {
    increment(this.#needed, key);
  }

  async #release(key: BlockKey): Promise<void> {
    const rest = (this.#needed.get(key) ?? 0) - 1;
    if (rest > 0) {
      this.#needed.set(key, rest);
      return;
    }
    this.#needed.delete(key);
    await this.#deleteUnneeded(key);
  }

  #deleteUnneeded(key: BlockKey): Promise<void> {
    return this.#inTurn(key, async () => {
      // Asked again in turn: somebody may have come to need it.
      if (!this.#needed.has(key)) await this.#shelf.deleteBlock(key);
    });
  }

  #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(work, work);
    this.#turns.set(key, turn);
    const done = (): void => {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    };
    turn.then(done, done);
    return turn;
  }
}

/** Blocks that stay while somebody works with them. After its end `get` and `put` reject: stragglers leave nothing. */
export interface Lease {
  /** The block if it is here; in any case it will not be deleted before the lease ends. */
  get(key: BlockKey): Promise<Uint8Array | undefined>;
  put(key: BlockKey, bytes: Uint8Array): Promise<void>;
  /** Makes the leased blocks the blocks of a held object. */
  record(cid: ContentId, bytes: number): Promise<void>;
  /** Ending twice is ending. */
  end(): Promise<void>;
}

function increment(counts: Map<BlockKey, number>, key: BlockKey): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

async function completeTree(
  cid: ContentId,
  bytes: number,
  shelf: BlockShelf,
  present: ReadonlySet<BlockKey>,
): Promise<BlockKey[] | undefined> {
  try {
    const tree = await listTree(cid, async (link) => {
      const block = await shelf.getBlock(blockKeyOf(link));
      if (block === undefined) throw new ContentNotFound(cid, "complete");
      return block;
    });
    const keys = tree.cids.map(blockKeyOf);
    return tree.bytes === bytes && keys.every((key) => present.has(key)) ? [...new Set(keys)] : undefined;
  } catch (error) {
    if (error instanceof ContentNotFound || error instanceof ContentMismatch) return undefined;
    throw error;
  }
}
