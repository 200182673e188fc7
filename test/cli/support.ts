// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `foedus` as a process of its own. */
export interface Running {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves with the first line on standard error that fits. Rejects when the process ends without it. */
  line(pattern: RegExp): Promise<string>;
}

export function start(args: readonly string[], env: Record<string, string> = {}): Running {
  const { FOEDUS_PASSPHRASE: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...inherited, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  const listeners = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    for (const listener of listeners) listener();
  });
  const finished = once(child, "close").then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return {
    process: child,
    finished,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = stderr.split("\n").find((line) => pattern.test(line));
          if (found === undefined) return;
          listeners.delete(look);
          resolve(found);
        };
        listeners.add(look);
        look();
        finished.then(
          ({ code }) =>
            reject(new Error(`foedus ${args.join(" ")} ended with ${code} and without ${pattern}:\n${stderr}`)),
          reject,
        );
      }),
  };
}

export function foedus(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  return start(args, env).finished;
}

/** A folder that is gone after the test. */
export async function temporaryFolder(t: { after(fn: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "foedus-cli-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
