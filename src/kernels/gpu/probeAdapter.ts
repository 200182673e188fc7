// SPDX-License-Identifier: Apache-2.0
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { AdapterDescription } from "./adapter.ts";
import { gpuUnavailable } from "./unavailable.ts";

/** What the probing process prints. */
export type ProbeAnswer = { readonly found: AdapterDescription } | { readonly refused: string };

const PROBE = fileURLToPath(new URL("./adapterProbe.ts", import.meta.url));
const TIME_LIMIT_MS = 60_000;

let answer: Promise<AdapterDescription> | undefined;

/**
 * `probeAdapter` for this process's own environment, done once: drivers are chosen when a process starts, so that the answer stays the same.
 *
 * @throws KernelError GPU_UNAVAILABLE
 */
export function probeAdapterOnce(): Promise<AdapterDescription> {
  answer ??= probeAdapter();
  return answer;
}

/**
 * Whether a GPU can be used, tried in another process (`adapterProbe.ts`).
 *
 * @throws KernelError GPU_UNAVAILABLE with the reason that Dawn or the driver gave.
 */
export async function probeAdapter(env: NodeJS.ProcessEnv = process.env): Promise<AdapterDescription> {
  const { stdout, stderr, ended } = await runProbe(env);
  const said = parse(stdout);
  // What it printed counts even if the driver crashed while the process ended: only the driver's unloading went wrong.
  if (said !== undefined && "found" in said) return said.found;
  throw gpuUnavailable([said?.refused ?? ended, ...warningsIn(stderr)].join("; "));
}

function runProbe(env: NodeJS.ProcessEnv): Promise<{ stdout: string; stderr: string; ended: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [PROBE],
      { env, timeout: TIME_LIMIT_MS, killSignal: "SIGKILL" },
      (error, stdout, stderr) => {
        const how = error?.killed ? "did not answer" : (error?.signal ?? `exit code ${error?.code ?? 0}`);
        resolve({ stdout, stderr, ended: `the driver ended its process (${how})` });
      },
    );
  });
}

function parse(stdout: string): ProbeAnswer | undefined {
  try {
    return JSON.parse(stdout) as ProbeAnswer;
  } catch {
    return undefined;
  }
}

/** What Dawn warned of, and the error that the probe died of; the places in Dawn's source help nobody. */
function warningsIn(stderr: string): string[] {
  const lines = stderr.split("\n").map((line) => line.trim());
  const warnings = lines.flatMap((line) => /^(?:Warning|Error|\w*Error(?: \[\w+\])?): (.+?)\.?$/.exec(line)?.[1] ?? []);
  return [...new Set(warnings.filter((line) => !line.includes("artificially reduced")))];
}
