// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { StoreConfigInvalid } from "./errors.ts";

const HEADER = "/key/swarm/psk/1.0.0/";
const ENCODING = "/base16/";

/**
 * A new swarm key in the format that Kubo reads as `swarm.key`. Nodes without the same key cannot complete a handshake:
 * it keeps strangers out of the data plane. It is no secret from members and protects no content from them.
 */
export function generateSwarmKey(): string {
  return `${HEADER}\n${ENCODING}\n${randomBytes(32).toString("hex")}\n`;
}

/** @returns the file's bytes, as the connection protector takes them. @throws StoreConfigInvalid */
export async function readSwarmKey(path: string): Promise<Uint8Array> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new StoreConfigInvalid(
      `The swarm key ${path} cannot be read; ask the consortium's admin for the file.`,
      { path },
      cause,
    );
  }
  return parseSwarmKey(text, path);
}

/** @param source Where the text is from, for the message. @throws StoreConfigInvalid */
export function parseSwarmKey(text: string, source: string): Uint8Array {
  const [header, encoding, key = ""] = text.split(/\r?\n/);
  if (header !== HEADER || encoding !== ENCODING || !/^[0-9a-fA-F]{64}$/.test(key)) {
    throw new StoreConfigInvalid(
      `${source} is not a swarm key: it needs the lines ${HEADER}, ${ENCODING} and 64 hexadecimal digits.`,
      { source },
    );
  }
  return Buffer.from(`${HEADER}\n${ENCODING}\n${key}\n`);
}
