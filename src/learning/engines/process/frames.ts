// SPDX-License-Identifier: Apache-2.0
import { concatBytes, utf8 } from "../../../protocol/bytes.ts";
import { DecodeError } from "../../../protocol/errors.ts";

/**
 * Messages on a pipe (docs/engines.md): u32 length of the header, u64 length of the payload, both little-endian; then the header, one JSON
 * object in UTF-8; then the payload, a safetensors file, or nothing.
 */
export interface Frame {
  readonly header: unknown;
  readonly payload: Uint8Array;
}

export const MOST_HEADER_BYTES = 1 << 20;

const PREFIX_BYTES = 12;

/** A frame in pieces, to be written one after the other. */
export function encodeFrame(header: Readonly<Record<string, unknown>>, payload: readonly Uint8Array[]): Uint8Array[] {
  const json = utf8(JSON.stringify(header));
  if (json.length > MOST_HEADER_BYTES) {
    throw new RangeError(`A message's header has at most ${MOST_HEADER_BYTES} bytes; this one has ${json.length}.`);
  }
  const prefix = new Uint8Array(PREFIX_BYTES);
  const view = new DataView(prefix.buffer);
  view.setUint32(0, json.length, true);
  view.setBigUint64(4, BigInt(payload.reduce((sum, { length }) => sum + length, 0)), true);
  return [concatBytes(prefix, json), ...payload];
}

/**
 * Cuts a stream of bytes into frames. What a frame announces is judged before memory is taken for it, so that whoever writes cannot make
 * this process hold more than `mostPayload` bytes.
 */
export class FrameReader {
  /** Payload bytes that the next frame may have; the reader's owner sets it with each request. */
  mostPayload = 0;
  #prefix = new Uint8Array(PREFIX_BYTES);
  #header: Uint8Array | undefined;
  #payload: Uint8Array | undefined;
  /** Bytes that the part now being filled has. */
  #filled = 0;
  #payloadLength = 0;

  /** @returns the frames that these bytes complete. @throws DecodeError after which the stream must not be read on. */
  push(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let at = 0;
    while (at < bytes.length) {
      const target = this.#payload ?? this.#header ?? this.#prefix;
      const count = Math.min(target.length - this.#filled, bytes.length - at);
      target.set(bytes.subarray(at, at + count), this.#filled);
      at += count;
      this.#filled += count;
      if (this.#filled < target.length) continue;
      this.#filled = 0;
      if (this.#header === undefined) this.#open();
      else if (this.#payload !== undefined || this.#payloadLength === 0) frames.push(this.#complete());
      else this.#payload = new Uint8Array(this.#payloadLength);
    }
    return frames;
  }
  #open(): void {
    const view = new DataView(this.#prefix.buffer);
    const headerLength = view.getUint32(0, true);
    const payloadLength = view.getBigUint64(4, true);
    if (headerLength < 2 || headerLength > MOST_HEADER_BYTES)
      throw new DecodeError(
        `A message announces a header of ${headerLength} bytes; 2 to ${MOST_HEADER_BYTES} are right.`,
      );
    if (payloadLength > BigInt(this.mostPayload))
      throw new DecodeError(
        `A message announces a payload of ${payloadLength} bytes; the answer has at most ${this.mostPayload}.`,
      );
    this.#header = new Uint8Array(headerLength);
    this.#payloadLength = Number(payloadLength);
  }

  #complete(): Frame {
    const [header, payload] = [this.#header as Uint8Array, this.#payload ?? new Uint8Array()];
    this.#header = undefined;
    this.#payload = undefined;
    try {
      return { header: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(header)), payload };
    } catch (cause) {
      throw new DecodeError("A message's header is no JSON.", {}, cause);
    }
  }
}
