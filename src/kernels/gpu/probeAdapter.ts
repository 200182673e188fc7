// SPDX-License-Identifier: Apache-2.0
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { KernelError } from "../errors.ts";
import type { AdapterDescription } from "./adapter.ts";

const PROBE = fileURLToPath(new URL("./adapterProbe.ts", import.meta.url));
const TIME_LIMIT_MS = 60_000;
const NEXT = "Use --device cpu, or install a Vulkan driver for this machine (docs/running-a-consortium.md, GPUs)";

/**
 * Whether a GPU can be used, tried in another process (`adapterProbe.ts`).
 *
 * @throws KernelError GPU_UNAVAILABLE with the reason that Dawn or the driver gave.
 */
export async function probeAdapter(env: NodeJS.ProcessEnv = process.env): Promise<AdapterDescription> {
  const { stdout, stderr, ended } = await runProbe(env);
  const found = parse(stdout);
  // What it printed counts even if the driver crashed while the process ended: only the driver's unloading went wrong.
  if (found !== undefined && found !== null) return found;
  const reason = reasonIn(stderr) ?? (found === null ? "there is no adapter" : ended);
  throw new KernelError("GPU_UNAVAILABLE", `No GPU can be used: ${reason}. ${NEXT}.`, { reason });
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

function parse(stdout: string): AdapterDescription | null | undefined {
  try {
    return JSON.parse(stdout) as AdapterDescription | null;
  } catch {
    return undefined;
  }
}

/** The last thing that Dawn warned of, or the error that the probe died of; the places in Dawn's source help nobody. */
function reasonIn(stderr: string): string | undefined {
  const lines = stderr.split("\n").map((line) => line.trim());
  const warnings = lines.flatMap((line) => /^(?:Warning|Error|\w*Error(?: \[\w+\])?): (.+?)\.?$/.exec(line)?.[1] ?? []);
  const telling = warnings.filter((line) => !line.includes("artificially reduced"));
  return telling.length === 0 ? undefined : [...new Set(telling)].join("; ");
}
