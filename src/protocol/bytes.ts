// SPDX-License-Identifier: Apache-2.0
import { DecodeError } from "./errors.ts";

/** 0x-prefixed lower-case hexadecimal. */
export type Hex = `0x${string}`;

const HEX_DIGITS = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));

export function toHex(bytes: Uint8Array): Hex {
  let text = "0x";
  for (const byte of bytes) text += HEX_DIGITS[byte];
  return text as Hex;
}

/** Bytes of a 0x-prefixed hex string; refuses odd lengths and other characters. */
export function fromHex(hex: string, expectedLength?: number): Uint8Array {
  if (!/^0x(?:[0-9a-fA-F]{2})*$/.test(hex))
    throw new DecodeError(`"${hex.slice(0, 80)}" is not 0x-prefixed hexadecimal.`);
  const bytes = new Uint8Array((hex.length - 2) / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 + 2 * i, 4 + 2 * i), 16);
  if (expectedLength !== undefined && bytes.length !== expectedLength) {
    throw new DecodeError(`Expected ${expectedLength} bytes of hexadecimal, got ${bytes.length}.`);
  }
  return bytes;
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Text of UTF-8 bytes, all of them: a byte order mark is a character like others, or one text would have two encodings. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new DecodeError("The bytes are not UTF-8 text.", {}, cause);
  }
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Unsigned big-endian integer of any length. */
export function bytesToBigInt(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(toHex(bytes));
}

/** `value` as `length` big-endian bytes; refuses what does not fit. */
export function bigIntToBytes(value: bigint, length: number): Uint8Array {
  if (value < 0n || value >> BigInt(8 * length) !== 0n) throw new DecodeError(`${value} does not fit ${length} bytes.`);
  return fromHex(`0x${value.toString(16).padStart(2 * length, "0")}`);
}

/** Appends big-endian fields. */
export class ByteWriter {
  readonly #parts: Uint8Array[] = [];

  u8(value: number): this {
    return this.uint(BigInt(value), 1);
  }
  u16(value: number): this {
    return this.uint(BigInt(value), 2);
  }
  u32(value: number): this {
    return this.uint(BigInt(value), 4);
  }
  u64(value: bigint): this {
    return this.uint(value, 8);
  }
  uint(value: bigint, length: number): this {
    return this.bytes(bigIntToBytes(value, length));
  }
  bytes(value: Uint8Array): this {
    this.#parts.push(value);
    return this;
  }
  finish(): Uint8Array {
    return concatBytes(...this.#parts);
  }
}

/** Reads big-endian fields; throws `DecodeError` at the first byte that is missing. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  get offset(): number {
    return this.#offset;
  }
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }
  u8(): number {
    return Number(this.uint(1));
  }
  u16(): number {
    return Number(this.uint(2));
  }
  u32(): number {
    return Number(this.uint(4));
  }
  u64(): bigint {
    return this.uint(8);
  }
  uint(length: number): bigint {
    return bytesToBigInt(this.bytes(length));
  }
  /** A view (no copy) of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    if (length > this.remaining) {
      throw new DecodeError(
        `Input ends at byte ${this.#bytes.length}; ${length} bytes were expected at ${this.#offset}.`,
      );
    }
    const view = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return view;
  }
  end(): void {
    if (this.remaining !== 0) throw new DecodeError(`${this.remaining} bytes follow the end of the input.`);
  }
}
