// SPDX-License-Identifier: Apache-2.0
import type { UpdateReader } from "../protocol/updateChunk.ts";
import type { Inflation } from "./inflation.ts";
import { LowRankDecoder, type PayloadLayout } from "./lowRank.ts";

/** One pass over a payload of factors: beside the chunk's memory it keeps what `LowRankDecoder` does, whatever the model's size. */
export class LowRankReader implements UpdateReader {
  readonly #content: Inflation;
  readonly #decoder: LowRankDecoder;
  /** Values that are decoded and not yet read; the decoder's own memory. */
  #ahead = new Int32Array(0);

  constructor(content: Inflation, layout: PayloadLayout, rank: number) {
    this.#content = content;
    this.#decoder = new LowRankDecoder(layout, rank);
  }

  async read(count: number, memory: Uint8Array): ReturnType<UpdateReader["read"]> {
    const values = new Int32Array(memory.buffer, Math.ceil(memory.byteOffset / 4) * 4, count);
    for (let at = 0; at < count; ) {
      if (this.#ahead.length === 0) await this.#decode();
      const piece = this.#ahead.subarray(0, count - at);
      values.set(piece, at);
      this.#ahead = this.#ahead.subarray(piece.length);
      at += piece.length;
    }
    return { kind: "dense", values };
  }

  close(): Promise<void> {
    return this.#content.close();
  }

  async #decode(): Promise<void> {
    const bytes = new Uint8Array(this.#decoder.wants);
    await this.#content.fill(bytes);
    this.#ahead = this.#decoder.take(bytes)?.values ?? this.#ahead;
  }
}
