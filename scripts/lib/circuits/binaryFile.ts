// SPDX-License-Identifier: Apache-2.0

/** Little-endian 32-byte encoding, as iden3's files store field elements. */
export function littleEndian32(value: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  writeLittleEndian32(bytes, 0, value);
  return bytes;
}

/** Writes `value` (below 2^256) at byte `offset`. */
export function writeLittleEndian32(target: Uint8Array, offset: number, value: bigint): void {
  const view = new DataView(target.buffer, target.byteOffset + offset, 32);
  for (let limb = 0; limb < 4; limb++)
    view.setBigUint64(8 * limb, (value >> BigInt(64 * limb)) & 0xffff_ffff_ffff_ffffn, true);
}

export function readLittleEndian32(source: DataView, offset: number): bigint {
  let value = 0n;
  for (let limb = 3; limb >= 0; limb--) value = (value << 64n) | source.getBigUint64(offset + 8 * limb, true);
  return value;
}

export function uint32s(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(4 * i, value, true));
  return bytes;
}

export interface Section {
  readonly id: number;
  readonly parts: readonly Uint8Array[];
}

/**
 * iden3's container of numbered sections (`.r1cs`, `.zkey`, `.ptau`, `.wtns`): type (4 ASCII), version u32, section count u32, then for
 * each section id u32, length u64, bytes. Everything little-endian. Source: @iden3/binfileutils.
 */
export function encodeBinaryFile(type: string, version: number, sections: readonly Section[]): Uint8Array {
  const chunks: Uint8Array[] = [new TextEncoder().encode(type), uint32s(version, sections.length)];
  for (const { id, parts } of sections) {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    chunks.push(uint32s(id, length % 2 ** 32, Math.floor(length / 2 ** 32)), ...parts);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** Sections by id, as views on `bytes`. @throws Error if the type is another one or a section is cut short. */
export function decodeBinaryFile(type: string, bytes: Uint8Array): Map<number, DataView> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = new TextDecoder().decode(bytes.subarray(0, 4));
  if (found !== type) throw new Error(`Expected a file of type "${type}", found "${found}".`);
  const sections = new Map<number, DataView>();
  let offset = 12;
  for (let count = view.getUint32(8, true); count > 0; count--) {
    const id = view.getUint32(offset, true);
    const length = Number(view.getBigUint64(offset + 4, true));
    offset += 12;
    if (offset + length > bytes.length)
      throw new Error(`Section ${id} of the "${type}" file ends after the end of the file.`);
    sections.set(id, new DataView(bytes.buffer, bytes.byteOffset + offset, length));
    offset += length;
  }
  return sections;
}
