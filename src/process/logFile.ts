// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { ConfigError } from "../protocol/errors.ts";

/** A file of log lines, one JSON object each, with the time in `at`; bigints as decimal strings. */
export class LogFile {
  readonly #stream: WriteStream;
  #failure: ConfigError | undefined;

  private constructor(path: string, stream: WriteStream) {
    this.#stream = stream;
    stream.on("error", (cause: Error) => {
      this.#failure ??= notWritten(path, cause);
    });
  }

  /** @param flags `w` for a new file, `a` to go on in the one there is. @throws ConfigError for a path that cannot be written to. */
  static async open(path: string, flags: "w" | "a"): Promise<LogFile> {
    const stream = createWriteStream(path, { flags });
    await once(stream, "open").catch((cause: Error) => {
      throw notWritten(path, cause);
    });
    return new LogFile(path, stream);
  }

  /** Why lines were lost: the disk was full, say. What logs goes on all the same, so whoever opened the file has to look. */
  get failure(): ConfigError | undefined {
    return this.#failure;
  }

  write(fields: Readonly<Record<string, unknown>>): void {
    if (this.#failure !== undefined) return;
    this.#stream.write(`${JSON.stringify({ at: new Date().toISOString(), ...fields }, printable)}\n`);
  }

  /** Resolves when every line is on its way to the disk, or lost. */
  async close(): Promise<void> {
    if (this.#stream.closed) return;
    const closed = new Promise<void>((resolve) => this.#stream.once("close", resolve));
    this.#stream.end();
    await closed;
  }
}

function notWritten(path: string, cause: Error): ConfigError {
  return new ConfigError(
    `The log ${path} cannot be written (${cause.message}). Make room or name another folder, and run the same command again.`,
    { path },
    cause,
  );
}

function printable(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
