// SPDX-License-Identifier: Apache-2.0
import { bigIntToBytes, concatBytes, fromHex } from "./bytes.ts";
import { DecodeError } from "./errors.ts";

/** A Solidity static value: unsigned integer, 32-byte word, or an address given as 20 bytes. */
export type AbiStatic = bigint | number | boolean | Uint8Array;

/** One 32-byte word: numbers and addresses left-padded, 32-byte values as they are. */
export function abiWord(value: AbiStatic): Uint8Array {
  if (typeof value === "boolean") return bigIntToBytes(value ? 1n : 0n, 32);
  if (typeof value === "number" || typeof value === "bigint") return bigIntToBytes(BigInt(value), 32);
  if (value.length === 32) return value;
  if (value.length === 20) return concatBytes(new Uint8Array(12), value);
  throw new DecodeError(`An ABI word takes 20 or 32 bytes, got ${value.length}.`);
}

/** Two's complement word of a signed integer (Solidity int256 and narrower). */
export function abiSignedWord(value: bigint): Uint8Array {
  return bigIntToBytes(BigInt.asUintN(256, value), 32);
}

/** Solidity `abi.encode` of values that are all static: the concatenation of their words. */
export function abiEncode(...values: readonly AbiStatic[]): Uint8Array {
  return concatBytes(...values.map(abiWord));
}

/**
 * Solidity `abi.encode(static…, T[] …)` for arrays of static words: head with offsets, then each array as length and words.
 * `arrays` come after all `statics`, which is the only order this protocol uses.
 */
export function abiEncodeWithArrays(
  statics: readonly AbiStatic[],
  arrays: readonly (readonly AbiStatic[])[],
): Uint8Array {
  const headWords = statics.length + arrays.length;
  const head: Uint8Array[] = statics.map(abiWord);
  const tail: Uint8Array[] = [];
  let offset = headWords * 32;
  for (const array of arrays) {
    head.push(abiWord(offset));
    tail.push(abiWord(array.length), ...array.map(abiWord));
    offset += 32 * (1 + array.length);
  }
  return concatBytes(...head, ...tail);
}

/** The 20 bytes of a 0x-prefixed address (any capitalisation). */
export function addressBytes(address: string): Uint8Array {
  return fromHex(address.toLowerCase(), 20);
}
