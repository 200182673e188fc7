// SPDX-License-Identifier: Apache-2.0

/**
 * The part of ZIP that NumPy writes: stored or deflated entries, no encryption, no ZIP64 directory (PKWARE APPNOTE 6.3). Sizes come
 * from the central directory, are bounded before anything is inflated, and must be what inflating gives; every entry's CRC-32 is checked.
 */

import { crc32, inflateRawSync } from "node:zlib";
import { DataError } from "../errors.ts";

const END = 0x06054b50;
const END_BYTES = 22;
const CENTRAL = 0x02014b50;
const CENTRAL_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const MAX_COMMENT = 0xffff;
const MAX_ENTRIES = 1024;
const IS_ZIP64 = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly compressed: number;
  readonly size: number;
  readonly offset: number;
}

/**
 * The entries of an archive by name.
 *
 * @param maxBytes most bytes of all entries together, inflated.
 * @throws DataError BAD_FORMAT, TOO_LARGE
 */
export function readZip(bytes: Uint8Array, source: string, maxBytes: number): ReadonlyMap<string, Buffer> {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { entries, directory } = readDirectory(archive, source);
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total > maxBytes)
    throw new DataError("TOO_LARGE", `${source} unpacks to ${total} bytes; at most ${maxBytes} are read.`, {
      source,
      total,
    });
  const files = new Map<string, Buffer>();
  for (const entry of entries) {
    if (files.has(entry.name)) refuse(source, `it has two entries ${entry.name}`);
    files.set(entry.name, unpack(archive, entry, directory, source));
  }
  return files;
}

function readDirectory(
  archive: Buffer,
  source: string,
): { readonly entries: readonly Entry[]; readonly directory: number } {
  const end = findEnd(archive, source);
  const count = archive.readUInt16LE(end + 10);
  const length = archive.readUInt32LE(end + 12);
  const directory = archive.readUInt32LE(end + 16);
  if (directory === IS_ZIP64) refuse(source, "ZIP64 directories are not read");
  if (count > MAX_ENTRIES) refuse(source, `it has ${count} entries, more than ${MAX_ENTRIES}`);
  if (directory + length > end) refuse(source, "its directory lies outside the file");
  const entries: Entry[] = [];
  let at = directory;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_BYTES > end || archive.readUInt32LE(at) !== CENTRAL)
      refuse(source, `directory entry ${i} is damaged`);
    const nameLength = archive.readUInt16LE(at + 28);
    const next = at + CENTRAL_BYTES + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
    if (next > end) refuse(source, `directory entry ${i} is cut off`);
    const name = archive.toString("utf8", at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength);
    if ((archive.readUInt16LE(at + 8) & ENCRYPTED) !== 0) refuse(source, `${name} is encrypted`);
    entries.push({
      name,
      method: archive.readUInt16LE(at + 10),
      crc: archive.readUInt32LE(at + 16),
      compressed: archive.readUInt32LE(at + 20),
      size: archive.readUInt32LE(at + 24),
      offset: archive.readUInt32LE(at + 42),
    });
    at = next;
  }
  return { entries, directory };
}

/** The end record is the last thing in the file but for a comment, whose length it states. */
function findEnd(archive: Buffer, source: string): number {
  const earliest = Math.max(0, archive.length - END_BYTES - MAX_COMMENT);
  for (let at = archive.length - END_BYTES; at >= earliest; at--) {
    if (archive.readUInt32LE(at) === END && at + END_BYTES + archive.readUInt16LE(at + 20) === archive.length)
      return at;
  }
  return refuse(source, "its end record is missing");
}

function unpack(archive: Buffer, entry: Entry, directory: number, source: string): Buffer {
  const { name, method, crc, compressed, size, offset } = entry;
  if (offset + LOCAL_BYTES > directory || archive.readUInt32LE(offset) !== LOCAL)
    refuse(source, `${name} has no local header`);
  const start = offset + LOCAL_BYTES + archive.readUInt16LE(offset + 26) + archive.readUInt16LE(offset + 28);
  if (start + compressed > directory) refuse(source, `${name} is cut off`);
  const packed = archive.subarray(start, start + compressed);
  const data = method === STORED ? packed : method === DEFLATED ? inflate(packed, size, name, source) : undefined;
  if (data === undefined)
    return refuse(source, `${name} is packed by method ${method}; stored and deflated entries are read`);
  if (data.length !== size) refuse(source, `${name} has ${data.length} bytes where its directory says ${size}`);
  if (crc32(data) !== crc) refuse(source, `${name} has another checksum than its directory says`);
  return data;
}

function inflate(packed: Buffer, size: number, name: string, source: string): Buffer {
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(size, 1) });
  } catch (cause) {
    return refuse(source, `${name} does not inflate to ${size} bytes`, cause);
  }
}

function refuse(source: string, why: string, cause?: unknown): never {
  throw new DataError("BAD_FORMAT", `${source} is not a ZIP archive that can be read: ${why}.`, { source }, cause);
}
