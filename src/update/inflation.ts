// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { pipeline, Readable } from "node:stream";
import { constants, createZstdDecompress, type ZstdDecompress } from "node:zlib";
import { DecodeError, FoedusError } from "../protocol/errors.ts";
import { MAX_WINDOW_LOG } from "./zstdFrame.ts";

/** Bytes that the decompressor gives at a time. */
const OUTPUT_BYTES = 65_536;

/**
 * A frame's content, inflated while it is read: memory is the frame's window and a few pieces, whatever the content's size. Reads ahead by one
 * piece. Inflating runs on other threads.
 */
export class Inflation {
  readonly #contentBytes: number;
  readonly #stream: ZstdDecompress;
  readonly #outputs: AsyncIterator<Uint8Array>;
  #output: Uint8Array = new Uint8Array(0);
  #taken = 0;

  /**
   * @param frame the frame's bytes, in order; its errors become those of `read`.
   * @param contentBytes what `FrameWalk` found and the caller has compared with what it expects.
   */
  constructor(frame: AsyncIterable<Uint8Array>, contentBytes: number) {
    this.#contentBytes = contentBytes;
    this.#stream = createZstdDecompress({
      chunkSize: OUTPUT_BYTES,
      readableHighWaterMark: OUTPUT_BYTES,
      writableHighWaterMark: 1,
      params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
    } as Parameters<typeof createZstdDecompress>[0]);
    // The callback only keeps errors from being unhandled: whoever reads gets them from the iterator.
    pipeline(Readable.from(frame, { highWaterMark: 1 }), this.#stream, () => {});
    this.#outputs = this.#stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  /**
   * Fills `target` with the next bytes of the content.
   *
   * @throws DecodeError when the frame is corrupt or its content ends before. What the source of the frame throws.
   */
  async fill(target: Uint8Array): Promise<void> {
    for (let at = 0; at < target.length; ) {
      if (this.#output.length === 0) {
        const output = await this.#next();
        if (output === undefined) throw this.#wrongSize(`only ${this.#taken}`);
        this.#output = output;
      }
      const part = this.#output.subarray(0, target.length - at);
      target.set(part, at);
      this.#output = this.#output.subarray(part.length);
      this.#taken += part.length;
      at += part.length;
    }
  }

  /** After the last byte. @throws DecodeError when there are more, or the frame is not complete. */
  async end(): Promise<void> {
    if (this.#output.length > 0 || (await this.#next()) !== undefined) throw this.#wrongSize("more");
    if (this.#taken !== this.#contentBytes) throw this.#wrongSize(String(this.#taken));
  }

  /** At any time; nothing is left running or open. */
  async close(): Promise<void> {
    if (this.#stream.closed) return;
    const closed = once(this.#stream, "close");
    this.#stream.destroy();
    await closed;
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const { value, done } = await this.#outputs.next();
      return done ? undefined : value;
    } catch (cause) {
      if (cause instanceof FoedusError) throw cause;
      if (!String((cause as { code?: unknown }).code).startsWith("ZSTD_") && !isTruncation(cause)) throw cause;
      throw new DecodeError("The zstd frame is corrupt.", { contentBytes: this.#contentBytes }, cause);
    }
  }

  #wrongSize(held: string): DecodeError {
    return new DecodeError(`The zstd frame announces ${this.#contentBytes} bytes and holds ${held}.`);
  }
}

/** A frame whose last block is missing ends without an error of zstd's own. */
function isTruncation(cause: unknown): boolean {
  return (cause as { code?: unknown }).code === "Z_BUF_ERROR";
}
