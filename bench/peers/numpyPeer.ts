// SPDX-License-Identifier: Apache-2.0
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const SCRIPT = fileURLToPath(new URL("./numpy_peer.py", import.meta.url));

/** Where Debian's python3-numpy lives first: a python of another origin may be in front of it in the path. */
const PYTHONS = ["/usr/bin/python3", "python3"];

const helloSchema = z.strictObject({ python: z.string(), numpy: z.string(), blas: z.string().nullable() });
export type NumpyVersions = z.infer<typeof helloSchema>;

/** What a fill makes: random values of |q| ≤ range in the form an operation takes, `length` coordinates each. */
export interface NumpyFill {
  readonly form: string;
  readonly k: number;
  readonly length: number;
  readonly range: number;
  /** Coordinates per chunk: sparse indices count from its beginning. */
  readonly unit: number;
}

/** numpy in a child process that lives as long as the bench: one JSON line asks, one answers. */
export class NumpyPeer {
  readonly versions: NumpyVersions;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessWithoutNullStreams, lines: AsyncIterator<string>, versions: NumpyVersions) {
    this.#child = child;
    this.#lines = lines;
    this.versions = versions;
  }

  /** @returns undefined where no python with numpy is found. */
  static async open(): Promise<NumpyPeer | undefined> {
    for (const python of PYTHONS) {
      const child = spawn(python, [SCRIPT], {
        // Idle BLAS threads sleep at once instead of spinning into the next contender's time.
        env: { ...process.env, OPENBLAS_THREAD_TIMEOUT: "4" },
      });
      const failed = once(child, "error").then(() => undefined);
      child.stderr.resume();
      child.stdin.on("error", () => {});
      const lines = createInterface({ input: child.stdout });
      const iterator = linesOf(lines);
      child.stdin.write(`${JSON.stringify({ do: "hello" })}\n`);
      const first = await Promise.race([iterator.next(), failed]);
      if (first !== undefined && first.done !== true)
        return new NumpyPeer(child, iterator, helloSchema.parse(JSON.parse(first.value)));
      child.kill();
    }
    return undefined;
  }

  /** @returns whether the BLAS could be told; without OpenBLAS it uses what it likes. */
  async setThreads(threads: number): Promise<boolean> {
    return z.strictObject({ set: z.boolean() }).parse(await this.#ask({ do: "threads", threads })).set;
  }

  async fill(fill: NumpyFill): Promise<void> {
    await this.#ask({ do: "fill", ...fill });
  }

  /** @returns milliseconds, by the child's clock. */
  async run(op: string, k: number, d: number, part: number): Promise<number> {
    return z.strictObject({ ms: z.number() }).parse(await this.#ask({ do: "run", op, k, d, part })).ms;
  }

  /** What an operation makes of small updates: to see that it does the same work. Large integers come as decimal strings. */
  async check(op: string, values: readonly Int32Array[]): Promise<(number | string)[]> {
    const reply = await this.#ask({ do: "check", op, values: values.map((row) => [...row]) });
    return z.strictObject({ result: z.array(z.union([z.number(), z.string()])) }).parse(reply).result;
  }

  async close(): Promise<void> {
    const closed = once(this.#child, "exit");
    this.#child.stdin.end();
    await closed;
  }

  async #ask(request: Record<string, unknown>): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`numpy's process ended while it was asked to ${request.do}.`);
    const reply = JSON.parse(value) as { error?: string };
    if (reply.error !== undefined)
      throw new Error(`numpy, asked for ${JSON.stringify(request).slice(0, 200)}: ${reply.error}`);
    return reply;
  }
}

/** Lines as they come; `for await` on the interface itself would lose those that come while nobody waits. */
async function* linesOf(lines: Interface): AsyncGenerator<string> {
  const waiting: string[] = [];
  let ended = false;
  let wake = (): void => {};
  lines.on("line", (line) => {
    waiting.push(line);
    wake();
  });
  lines.on("close", () => {
    ended = true;
    wake();
  });
  for (;;) {
    const line = waiting.shift();
    if (line !== undefined) yield line;
    else if (ended) return;
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
}
