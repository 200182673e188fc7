// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";
import { findPython, pythonCommand } from "../lib/python.ts";

const SCRIPT = fileURLToPath(new URL("./torch_peer.py", import.meta.url));

const helloSchema = z.strictObject({ python: z.string(), torch: z.string(), blas: z.string().nullable() });
export type TorchVersions = z.infer<typeof helloSchema>;

/** PyTorch in a child process that lives as long as the bench: one JSON line asks, one answers. */
export class TorchPeer {
  readonly versions: TorchVersions;
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  private constructor(child: ChildProcess, lines: Interface, versions: TorchVersions) {
    this.#child = child;
    this.#lines = lines;
    this.versions = versions;
  }

  /** @returns the peer, or why there is none. */
  static async open(threads: number): Promise<TorchPeer | string> {
    const python = findPython("torch");
    if (python.missing !== false) return python.missing;
    const [program, ...args] = pythonCommand(python, [SCRIPT]).command as [string, ...string[]];
    const count = String(threads);
    const child = spawn(program, args, {
      // Idle BLAS threads sleep at once instead of spinning into the next contender's time.
      env: { ...process.env, OMP_NUM_THREADS: count, OPENBLAS_NUM_THREADS: count, OPENBLAS_THREAD_TIMEOUT: "4" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout });
    const versions = helloSchema.parse(await ask(child, lines, { do: "hello", threads }));
    return new TorchPeer(child, lines, versions);
  }

  /** @returns the number of parameters: to see that it is the same model. */
  async load(model: string, config: ModelConfig, batch: number): Promise<number> {
    const reply = await ask(this.#child, this.#lines, { do: "load", model, config, batch });
    return z.strictObject({ parameters: z.int() }).parse(reply).parameters;
  }

  /** @returns milliseconds of all steps, by the child's clock. */
  async run(model: string, steps: number): Promise<number> {
    const reply = await ask(this.#child, this.#lines, { do: "run", model, steps });
    return z.strictObject({ ms: z.number() }).parse(reply).ms;
  }

  async close(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.stdin?.end();
    await ended;
  }
}

async function ask(child: ChildProcess, lines: Interface, request: Record<string, unknown>): Promise<unknown> {
  const done = new AbortController();
  const { signal } = done;
  try {
    const answered = once(lines, "line", { signal });
    const ended = once(child, "exit", { signal }).then(() => {
      throw new Error(`torch's process ended while it was asked to ${request["do"]}.`);
    });
    child.stdin?.write(`${JSON.stringify(request)}\n`);
    ended.catch(() => {});
    const [line] = (await Promise.race([answered, ended])) as [string];
    return JSON.parse(line);
  } finally {
    done.abort();
  }
}
