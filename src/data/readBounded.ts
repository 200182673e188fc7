// SPDX-License-Identifier: Apache-2.0
import { open } from "node:fs/promises";
import { DataError } from "./errors.ts";

/** A whole file of at most `maxBytes`. @throws DataError MISSING_FILE, UNREADABLE, or what `tooLarge` makes of its size before anything is read. */
export async function readBounded(
  path: string,
  maxBytes: number,
  tooLarge: (size: number) => DataError,
): Promise<Buffer> {
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    if (size > maxBytes) throw tooLarge(size);
    return await file.readFile();
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") throw missing(path, cause);
    throw new DataError(
      "UNREADABLE",
      `${path} cannot be read: ${cause instanceof Error ? cause.message : cause}. Check the path and its permissions.`,
      { path },
      cause,
    );
  }
}

function missing(path: string, cause: unknown): DataError {
  return new DataError("MISSING_FILE", `${path} does not exist. Check the path.`, { path }, cause);
}
