// SPDX-License-Identifier: Apache-2.0
import { access } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "./errors.ts";
import { readInflated } from "./readInflated.ts";

/** SHA-256 of a data set's published files, by name. */
export type FileDigests = Readonly<Record<string, string>>;

/** Largest file of a data set, before and after decompression. */
const MAX_FILE_BYTES = 2 ** 30;

/**
 * A data set's folder: its published files, read whole and decompressed. When verifying, each must have its published digest. When
 * not, a file other than the published one is taken as it is, and `name.gz` may also lie there as `name`.
 */
export class DataFolder {
  readonly path: string;
  readonly #digests: FileDigests;
  readonly #verify: boolean;
  readonly #source: string | undefined;

  /** @param source where missing files can be had. */
  constructor(path: string, digests: FileDigests, verify: boolean, source?: string) {
    this.path = path;
    this.#digests = digests;
    this.#verify = verify;
    this.#source = source;
  }

  /** @throws DataError MISSING_FILE with the path and the way to pass another, UNREADABLE, TOO_LARGE, WRONG_DIGEST. */
  async read(name: string): Promise<Buffer> {
    const path = await this.#locate(name);
    try {
      return await readInflated(path, MAX_FILE_BYTES, this.#verify ? this.#digests[name] : undefined);
    } catch (cause) {
      if (!(cause instanceof DataError) || cause.code !== "MISSING_FILE") throw cause;
      throw new DataError(
        "MISSING_FILE",
        `The data file ${path} does not exist. Put it there${this.#source ? ` (${this.#source})` : ""}, or pass the folder that holds the data sets with --data DIR.`,
        { path },
        cause,
      );
    }
  }

  async readText(name: string): Promise<string> {
    return (await this.read(name)).toString("utf8");
  }

  async #locate(name: string): Promise<string> {
    const path = join(this.path, name);
    if (this.#verify || !name.endsWith(".gz") || (await exists(path))) return path;
    const plain = path.slice(0, -".gz".length);
    return (await exists(plain)) ? plain : path;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
