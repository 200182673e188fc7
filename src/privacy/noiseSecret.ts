// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { ConfigError } from "../protocol/errors.ts";
import { SECRET_BYTES } from "./secretStream.ts";

/**
 * The member's noise secret: 32 random bytes in a file of the node, made on first use and on disk before this returns, readable by its owner only.
 * Whoever has it can take the noise off every update that the member ever sent: never in a backup that others can read.
 *
 * @throws ConfigError when the file has another length.
 */
export async function noiseSecret(path: string): Promise<Uint8Array> {
  await mkdir(dirname(path), { recursive: true });
  const made = await makeSecret(path);
  if (made !== undefined) return made;
  const secret = new Uint8Array(await readFile(path));
  if (secret.length !== SECRET_BYTES) {
    throw new ConfigError(
      `The noise secret ${path} has ${secret.length} bytes instead of ${SECRET_BYTES}. Restore it; or delete it, and rounds that were prepared and not sent will be left out.`,
    );
  }
  return secret;
}

/** Undefined when there is one. */
async function makeSecret(path: string): Promise<Uint8Array | undefined> {
  const file = await open(path, "wx", 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const secret = new Uint8Array(randomBytes(SECRET_BYTES));
    await file.writeFile(secret);
    await file.sync();
    return secret;
  } finally {
    await file.close();
  }
}
