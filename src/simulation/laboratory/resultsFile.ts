// SPDX-License-Identifier: Apache-2.0
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { DecodeError } from "../../protocol/errors.ts";
import { type CellResult, cellResultSchema } from "./cellResult.ts";

/**
 * Results of cells, one JSON object a line, appended as cells end. A run that was cut off may leave half a line at the end: it is taken away
 * when the file is opened, and its cell runs again. Of several results of one cell the last counts.
 */
export class ResultsFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #results = new Map<string, CellResult>();

  private constructor(path: string, file: FileHandle, results: readonly CellResult[]) {
    this.path = path;
    this.#file = file;
    for (const result of results) this.#results.set(result.id, result);
  }

  /** @throws DecodeError naming the line that is no result. */
  static async open(path: string): Promise<ResultsFile> {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, "a+");
    const text = await file.readFile("utf8");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole.length < text.length) await file.truncate(Buffer.byteLength(whole));
    return new ResultsFile(path, file, parseResults(whole, path));
  }

  get(id: string): CellResult | undefined {
    return this.#results.get(id);
  }

  async append(result: CellResult): Promise<void> {
    // What could not be read again is not written.
    cellResultSchema.parse(JSON.parse(JSON.stringify(result)));
    this.#results.set(result.id, result);
    await this.#file.appendFile(`${JSON.stringify(result)}\n`);
    await this.#file.datasync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** The results in a file, the last of each cell, in the order of their first lines. @throws DecodeError naming the line that is no result. */
export async function readResults(path: string): Promise<CellResult[]> {
  const byId = new Map<string, CellResult>();
  for (const result of parseResults(await readFile(path, "utf8"), path)) byId.set(result.id, result);
  return [...byId.values()];
}

function parseResults(text: string, path: string): CellResult[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line, i) => {
      try {
        return cellResultSchema.parse(JSON.parse(line));
      } catch (cause) {
        throw new DecodeError(
          `${path}, line ${i + 1}: this is no result of this version's laboratory. Move the file away and run the experiment again.`,
          { path, line: i + 1 },
          cause,
        );
      }
    });
}
