// SPDX-License-Identifier: Apache-2.0
import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { ContentId } from "../protocol/contentStore.ts";
import type { BlockShelf, ObjectRecord } from "./blockShelf.ts";
import { type BlockKey, parseContentId } from "./contentId.ts";
import { StoreConfigInvalid } from "./errors.ts";

const recordSchema = z.strictObject({ bytes: z.int().nonnegative(), served: z.boolean(), pinned: z.boolean() });

/** Ending of a file that is being written. */
const PART = ".part";

/**
 * Blocks and records as files:
 *
 *     blocks/3f/3f0c…  one block, named by its sha2-256 digest
 *     objects/bafy…    one record, JSON
 *
 * Every file is written beside its place, flushed, renamed, and its folder flushed, so that it is there whole or not at
 * all, whenever the power goes. A block that no longer hashes to its name counts as absent: it is fetched or put again.
 */
export class FolderShelf implements BlockShelf {
  readonly #blocks: string;
  readonly #objects: string;

  private constructor(folder: string) {
    this.#blocks = join(folder, "blocks");
    this.#objects = join(folder, "objects");
  }

  /**
   * Also removes what writes left that a crash interrupted; so one process at a time.
   *
   * @throws StoreConfigInvalid when the folder cannot be used.
   */
  static async open(folder: string): Promise<FolderShelf> {
    const shelf = new FolderShelf(folder);
    try {
      for (const part of [shelf.#blocks, shelf.#objects]) {
        await mkdir(part, { recursive: true });
        for (const entry of await readdir(part, { recursive: true })) {
          if (entry.endsWith(PART)) await rm(join(part, entry), { force: true });
        }
      }
    } catch (cause) {
      throw new StoreConfigInvalid(
        `The store folder ${folder} cannot be used; check the path and its permissions.`,
        { folder },
        cause,
      );
    }
    return shelf;
  }

  async getBlock(key: BlockKey): Promise<Uint8Array | undefined> {
    const bytes = await readIfThere(this.#blockPath(key));
    if (bytes === undefined || createHash("sha256").update(bytes).digest("hex") === key) return bytes;
    await this.deleteBlock(key);
    return undefined;
  }

  async readBlock(key: BlockKey, offset: number, length: number): Promise<Uint8Array | undefined> {
    let file: FileHandle;
    try {
      file = await open(this.#blockPath(key), "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    try {
      const bytes = new Uint8Array(length);
      for (let read = 0; read < length; ) {
        const { bytesRead } = await file.read(bytes, read, length - read, offset + read);
        if (bytesRead === 0) return undefined;
        read += bytesRead;
      }
      return bytes;
    } finally {
      await file.close();
    }
  }

  async putBlock(key: BlockKey, bytes: Uint8Array): Promise<void> {
    if ((await this.getBlock(key)) === undefined) await writeDurably(this.#blockPath(key), bytes);
  }

  async deleteBlock(key: BlockKey): Promise<void> {
    await rm(this.#blockPath(key), { force: true });
  }

  async blockKeys(): Promise<BlockKey[]> {
    const names = await readdir(this.#blocks, { recursive: true, withFileTypes: true });
    return names
      .filter((entry) => entry.isFile() && /^[0-9a-f]{64}$/.test(entry.name))
      .map((entry) => entry.name as BlockKey);
  }

  async putRecord(cid: ContentId, record: ObjectRecord): Promise<void> {
    const { bytes, served, pinned } = record;
    await writeDurably(join(this.#objects, cid), Buffer.from(`${JSON.stringify({ bytes, served, pinned })}\n`));
  }

  async deleteRecord(cid: ContentId): Promise<void> {
    await rm(join(this.#objects, cid), { force: true });
  }

  async records(): Promise<Map<ContentId, ObjectRecord>> {
    const records = new Map<ContentId, ObjectRecord>();
    for (const name of (await readdir(this.#objects)).filter((name) => !name.endsWith(PART))) {
      const path = join(this.#objects, name);
      try {
        records.set(parseContentId(name), recordSchema.parse(JSON.parse(await readFile(path, "utf8"))));
      } catch (cause) {
        throw new StoreConfigInvalid(
          `${path} is not an object record; remove it, and put or fetch the object again.`,
          { path },
          cause,
        );
      }
    }
    return records;
  }

  /** In 256 folders, since some file systems slow down with many entries in one. */
  #blockPath(key: BlockKey): string {
    return join(this.#blocks, key.slice(0, 2), key);
  }
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Writes a file that after a crash is there whole or as it was before. @param mode Permissions of a new file. */
export async function writeDurably(path: string, bytes: Uint8Array, mode = 0o644): Promise<void> {
  const folder = dirname(path);
  const made = await mkdir(folder, { recursive: true });
  const part = `${path}.${randomUUID()}${PART}`;
  try {
    const file = await open(part, "wx", mode);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  await flushFolder(folder);
  if (made !== undefined) await flushFolder(dirname(folder));
}

/** Makes a rename in a folder survive a power cut, where the platform can (Windows cannot open folders). */
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
