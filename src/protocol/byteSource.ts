// SPDX-License-Identifier: Apache-2.0

/** Bytes that can be read at any place: in memory, or on a disk so that memory holds only what is being worked on. */
export interface ByteSource {
  readonly length: number;
  /**
   * Exactly `length` bytes from `offset` on, all of them below the source's length. The caller neither changes nor keeps them.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A source over bytes in memory; they are not copied. */
export function bytesInMemory(bytes: Uint8Array): ByteSource {
  return { length: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}
