// SPDX-License-Identifier: Apache-2.0

/** Tiny files in each format, written byte by byte from its description. */

import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateRawSync, deflateSync } from "node:zlib";

/** A fresh folder with the given files; a `.gz` in a name does not compress anything. */
export async function folderOf(files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "foedus-data-"));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

export function idx(shape: readonly number[], values: readonly number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  for (const [i, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([header, Buffer.from(values)]);
}

export function npy(type: string, shape: readonly number[], values: Uint8Array): Buffer {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dictionary = `{'descr': '${type}', 'fortran_order': False, 'shape': (${tuple}), }`;
  const header = Buffer.from(`${dictionary.padEnd(117, " ")}\n`, "latin1");
  const start = Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length, 0]);
  return Buffer.concat([start, header, values]);
}

/** The little-endian bytes of numbers, as NumPy stores them. */
export const bytesOf = (values: ArrayBufferView): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

export interface ZipEntry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly stored?: boolean;
}

export function zip(entries: readonly ZipEntry[], comment = ""): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const { name, data, stored = false } of entries) {
    const packed = stored ? Buffer.from(data) : deflateRawSync(data);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(stored ? 0 : 8, 4);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    centrals.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x03"), common, rest, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...locals, directory, end, Buffer.from(comment)]);
}

/** The header of a MAT-file of level 5. */
export function matHeader(version = 0x0100, order = "IM"): Buffer {
  const header = Buffer.alloc(128, " ");
  header.write("MATLAB 5.0 MAT-file");
  header.fill(0, 116);
  header.writeUInt16LE(version, 124);
  header.write(order, 126, "latin1");
  return header;
}

/** An element: tag, data, padding to eight bytes; `small` packs up to four bytes into the tag. */
export function matElement(type: number, data: Uint8Array, small = false): Buffer {
  const tag = Buffer.alloc(small ? 4 : 8);
  if (small) {
    tag.writeUInt16LE(type, 0);
    tag.writeUInt16LE(data.length, 2);
  } else {
    tag.writeUInt32LE(type, 0);
    tag.writeUInt32LE(data.length, 4);
  }
  const padding = Buffer.alloc((8 - ((tag.length + data.length) % 8)) % 8);
  return Buffer.concat([tag, data, padding]);
}

export interface MatVariable {
  readonly name: string;
  readonly shape: readonly number[];
  /** Type of the stored values; 2 is uint8, 9 double. */
  readonly type?: number;
  readonly data: Uint8Array;
  /** Class of the array; 9 is uint8, 6 double. */
  readonly kind?: number;
  readonly flags?: number;
}

/** An array's element, uncompressed. */
export function matArray({ name, shape, type = 2, data, kind = 9, flags = 0 }: MatVariable): Buffer {
  return matElement(
    14,
    Buffer.concat([
      matElement(6, Buffer.from([kind, flags, 0, 0, 0, 0, 0, 0])),
      matElement(5, bytesOf(Int32Array.from(shape))),
      matElement(1, Buffer.from(name), name.length <= 4),
      matElement(type, data, data.length > 0 && data.length <= 4),
    ]),
  );
}

/** As MATLAB compresses an element: without padding. */
export function matCompressed(element: Uint8Array): Buffer {
  const packed = deflateSync(element);
  const tag = Buffer.alloc(8);
  tag.writeUInt32LE(15, 0);
  tag.writeUInt32LE(packed.length, 4);
  return Buffer.concat([tag, packed]);
}

export const mat = (...variables: readonly MatVariable[]): Buffer =>
  Buffer.concat([matHeader(), ...variables.map((variable) => matCompressed(matArray(variable)))]);
