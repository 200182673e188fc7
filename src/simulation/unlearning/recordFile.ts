// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { EXIT, FoedusError } from "../../protocol/errors.ts";

/** Numbers as a record holds them. */
export type Tensor = Float32Array | Float64Array | Int32Array | Uint8Array;

/** What a file of a stored run holds: a body of JSON, and tensors by name. */
export interface StoredRecord<Body> {
  readonly body: Body;
  readonly tensors: Readonly<Record<string, Tensor>>;
}

interface Header {
  readonly kind: string;
  readonly identity: string;
  readonly body: unknown;
  readonly tensors: readonly { readonly name: string; readonly type: keyof typeof TYPES; readonly length: number }[];
}

const MAGIC = "foedus.unlearning.v1\n\0\0\0";
const DIGEST_BYTES = 32;
const TYPES = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array } as const;

/**
 * Writes a record: magic, length of the header, header (JSON), tensors (little-endian, each from a multiple of eight bytes on), and the SHA-256 of
 * all of it. It has its name only once it is whole.
 *
 * @param identity of the run that it belongs to; a reader refuses another's.
 */
export async function writeRecord<Body>(
  path: string,
  kind: string,
  identity: string,
  { body, tensors }: StoredRecord<Body>,
): Promise<void> {
  const entries = Object.entries(tensors);
  const header: Header = {
    kind,
    identity,
    body,
    tensors: entries.map(([name, tensor]) => ({ name, type: typeOf(tensor), length: tensor.length })),
  };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeUInt32LE(text.length);
  const parts: Buffer[] = [Buffer.from(MAGIC), length, padded(text)];
  for (const [, { buffer, byteOffset, byteLength }] of entries)
    parts.push(padded(Buffer.from(buffer, byteOffset, byteLength)));
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  await writeFile(`${path}.part`, Buffer.concat([...parts, hash.digest()]), { mode: 0o600 });
  await rename(`${path}.part`, path);
}

/**
 * @throws FoedusError SNAPSHOT_DAMAGED naming the file, when a byte of it is not what was written; SNAPSHOT_FOREIGN when it is of another kind or run.
 */
export async function readRecord<Body>(path: string, kind: string, identity: string): Promise<StoredRecord<Body>> {
  const bytes = await readFile(path).catch((cause: Error) => {
    throw damaged(path, `it cannot be read (${cause.message})`);
  });
  const end = bytes.length - DIGEST_BYTES;
  if (
    end < MAGIC.length + 8 ||
    !createHash("sha256").update(bytes.subarray(0, end)).digest().equals(bytes.subarray(end))
  )
    throw damaged(path, "its bytes are not those that were written");
  if (bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) throw damaged(path, "it is no record of this version");
  const length = bytes.readUInt32LE(MAGIC.length);
  const start = MAGIC.length + 8;
  const header = JSON.parse(bytes.toString("utf8", start, start + length)) as Header;
  if (header.kind !== kind || header.identity !== identity)
    throw new FoedusError(
      "SNAPSHOT_FOREIGN",
      `${path} is a record of another run (or of another kind: ${header.kind}). Take its folder away, or name another --output.`,
      { exitCode: EXIT.usage, values: { path, kind, found: header.kind } },
    );
  const tensors: Record<string, Tensor> = {};
  let at = start + roundUp(length);
  for (const { name, type, length: size } of header.tensors) {
    const Type = TYPES[type];
    // A copy, since a view would need the file's buffer to be aligned.
    const copy = new Uint8Array(size * Type.BYTES_PER_ELEMENT);
    copy.set(bytes.subarray(at, at + copy.length));
    tensors[name] = new Type(copy.buffer);
    at += roundUp(copy.length);
  }
  return { body: header.body as Body, tensors };
}

function damaged(path: string, what: string): FoedusError {
  return new FoedusError(
    "SNAPSHOT_DAMAGED",
    `${path} is damaged: ${what}. Nothing is forgotten from damaged records: run the command with --again, which trains anew.`,
    { values: { path } },
  );
}

function typeOf(tensor: Tensor): keyof typeof TYPES {
  if (tensor instanceof Float32Array) return "float32";
  if (tensor instanceof Uint8Array) return "uint8";
  return tensor instanceof Float64Array ? "float64" : "int32";
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function padded(bytes: Buffer): Buffer {
  const rest = roundUp(bytes.length) - bytes.length;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(rest)]);
}
