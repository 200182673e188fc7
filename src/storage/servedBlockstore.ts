// SPDX-License-Identifier: Apache-2.0
import type { Blockstore, InputPair, Pair } from "interface-blockstore";
import type { CID } from "multiformats/cid";
import { blockKeyOf } from "./contentId.ts";
import type { ServedBlocks } from "./heldObjects.ts";

/**
 * The served blocks as Helia's block store, so that nothing in Helia, now or after an update, can read what is held
 * privately.
 *
 * Writes are dropped: Helia stores each block that it fetches, and a fetched block must not become readable by peers.
 * Whoever fetched it receives the bytes and shelves them itself, under a lease.
 */
export class ServedBlockstore implements Blockstore {
  readonly #served: ServedBlocks;

  constructor(served: ServedBlocks) {
    this.#served = served;
  }

  has(cid: CID): boolean {
    return this.#served.has(blockKeyOf(cid));
  }

  async *get(cid: CID): AsyncGenerator<Uint8Array> {
    const block = await this.#served.get(blockKeyOf(cid));
    if (block === undefined) throw Object.assign(new Error(`Block ${cid} is not served.`), { name: "NotFoundError" });
    yield block;
  }

  async *getMany(source: Iterable<CID> | AsyncIterable<CID>): AsyncGenerator<Pair> {
    for await (const cid of source) yield { cid, bytes: this.get(cid) };
  }

  put(cid: CID): CID {
    return cid;
  }

  async *putMany(source: Iterable<InputPair> | AsyncIterable<InputPair>): AsyncGenerator<CID> {
    for await (const { cid } of source) yield cid;
  }

  delete(): void {}

  async *deleteMany(source: Iterable<CID> | AsyncIterable<CID>): AsyncGenerator<CID> {
    yield* source;
  }

  async *getAll(): AsyncGenerator<Pair> {}
}
