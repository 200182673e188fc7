// SPDX-License-Identifier: Apache-2.0
import { hash } from "node:crypto";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DataError } from "./errors.ts";
import { readBounded } from "./readBounded.ts";

const GZIP_MAGIC = [0x1f, 0x8b];

/**
 * A whole file, decompressed if it is gzipped.
 *
 * @param maxBytes most bytes, before and after decompression.
 * @param sha256 what the file as stored must hash to, in hexadecimal; left out, nothing is compared.
 * @throws DataError MISSING_FILE, UNREADABLE, TOO_LARGE (before more than `maxBytes` are held), WRONG_DIGEST.
 */
export async function readInflated(path: string, maxBytes: number, sha256?: string): Promise<Buffer> {
  const raw = await readBounded(path, maxBytes, () => tooLarge(path, maxBytes));
  if (sha256 !== undefined) checkDigest(path, raw, sha256);
  return GZIP_MAGIC.every((byte, i) => raw[i] === byte) ? await inflate(path, raw, maxBytes) : raw;
}

function checkDigest(path: string, bytes: Buffer, expected: string): void {
  const found = hash("sha256", bytes, "hex");
  if (found === expected) return;
  throw new DataError(
    "WRONG_DIGEST",
    `${path} has SHA-256 ${found}; the published file has ${expected}. Fetch it again, or set verify: false to use it as it is.`,
    { path, found, expected },
  );
}

async function inflate(path: string, bytes: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(path, maxBytes);
    throw new DataError(
      "UNREADABLE",
      `${path} is damaged: ${cause instanceof Error ? cause.message : cause}. Fetch the file again.`,
      { path },
      cause,
    );
  }
}

function tooLarge(path: string, maxBytes: number): DataError {
  return new DataError("TOO_LARGE", `${path} holds more than ${maxBytes} bytes. Raise maxBytes if that is intended.`, {
    path,
    maxBytes,
  });
}
