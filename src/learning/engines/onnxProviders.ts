// SPDX-License-Identifier: Apache-2.0
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { LearningError } from "../errors.ts";

/** Where onnxruntime-node computes. `auto` is CUDA where it works, else the processor. */
export const ONNX_DEVICES = ["cpu", "cuda", "webgpu", "auto"] as const;
export type OnnxDevice = (typeof ONNX_DEVICES)[number];

/** ONNX Runtime's name of what computes. */
export type OnnxProvider = Exclude<OnnxDevice, "auto">;

/** What the probing process prints. */
export type ProviderAnswer = { readonly works: true } | { readonly works: false; readonly reason: string };

const PROBE = fileURLToPath(new URL("./onnxProviderProbe.ts", import.meta.url));
const TIME_LIMIT_MS = 60_000;

const NEXT_STEP: Readonly<Record<Exclude<OnnxProvider, "cpu">, string>> = {
  cuda: "Install CUDA 12 and cuDNN 9, then run `ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js` (Linux, x64)",
  webgpu:
    "Install a driver (Linux: Vulkan 1.1 with libvulkan1, e.g. mesa-vulkan-drivers 23.1 or NVIDIA's with its Vulkan part; macOS and Windows bring theirs)",
};

/**
 * The provider of a device, tried first in another process: a driver may take down the process that opens it (docs/decisions/0014).
 *
 * `auto` does not take WebGPU, since ONNX Runtime does not tell a GPU from a driver that computes on the processor.
 *
 * @param env of the trying process; default: this process's.
 * @throws LearningError ENGINE_UNAVAILABLE with the runtime's reason and what to install.
 */
export async function chooseProvider(device: OnnxDevice, env: NodeJS.ProcessEnv = process.env): Promise<OnnxProvider> {
  if (device === "cpu") return device;
  const wanted = device === "auto" ? "cuda" : device;
  const answer = await tryProvider(wanted, env);
  if (answer.works) return wanted;
  if (device === "auto") return "cpu";
  throw new LearningError(
    "ENGINE_UNAVAILABLE",
    `onnxruntime-node cannot compute with ${wanted} here: ${answer.reason}. ${NEXT_STEP[wanted]}, or set device: cpu.`,
    { device, reason: answer.reason },
  );
}

function tryProvider(provider: OnnxProvider, env: NodeJS.ProcessEnv): Promise<ProviderAnswer> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [PROBE, provider],
      { env, timeout: TIME_LIMIT_MS, killSignal: "SIGKILL" },
      (error, stdout) => {
        const how = error?.killed ? "it did not answer" : (error?.signal ?? `exit code ${error?.code ?? 0}`);
        // What it printed counts even if the driver crashed while the process ended: only the driver's unloading went wrong.
        resolve(parse(stdout) ?? { works: false, reason: `trying it ended the process (${how})` });
      },
    );
  });
}

function parse(stdout: string): ProviderAnswer | undefined {
  try {
    return JSON.parse(stdout.trim().split("\n").at(-1) as string) as ProviderAnswer;
  } catch {
    return undefined;
  }
}
