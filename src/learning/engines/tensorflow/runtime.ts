// SPDX-License-Identifier: Apache-2.0
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { LearningError } from "../../errors.ts";
import { registerGradients } from "./gradients.ts";

/** TensorFlow.js as every build of it offers it. */
export type Tensorflow = typeof import("@tensorflow/tfjs-core");

/** One build that works here, with the backend it computes on. */
export interface TensorflowRuntime {
  readonly tf: Tensorflow;
  readonly backend: string;
  /** For logs, e.g. "tensorflow.js 4.22.0, wasm". */
  readonly name: string;
}

/** Builds of TensorFlow.js, the fastest first. */
export const BUILDS = ["tfjs-node-gpu", "tfjs-node", "wasm", "cpu"] as const;
export type Build = (typeof BUILDS)[number];

export const TENSORFLOW_DEVICES = ["auto", "cpu", "cuda"] as const;
export type TensorflowDevice = (typeof TENSORFLOW_DEVICES)[number];

const BUILDS_OF: Readonly<Record<TensorflowDevice, readonly Build[]>> = {
  auto: BUILDS,
  cpu: ["tfjs-node", "wasm", "cpu"],
  cuda: ["tfjs-node-gpu"],
};

const PORTABLE =
  "npm install @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0";
const CUDA = "npm install @tensorflow/tfjs-node-gpu@4.22.0";

/**
 * The first build of a device that is installed and computes.
 *
 * @param builds to try, in order; default: those of the device.
 * @throws LearningError ENGINE_UNAVAILABLE with the reason of each and the command that installs one.
 */
export function openRuntime(
  device: TensorflowDevice,
  builds: readonly Build[] = BUILDS_OF[device],
): Promise<TensorflowRuntime> {
  // The library has one current backend, which must not change while another one starts.
  const opened = opening.then(() => firstWorking(device, builds));
  opening = opened.catch(() => {});
  return opened;
}

let opening: Promise<unknown> = Promise.resolve();

/** Makes the runtime's backend the library's current one: another engine of this process may have taken another. It has started, so at once. */
export function useBackend({ tf, backend }: TensorflowRuntime): void {
  if (tf.getBackend() !== backend) void tf.setBackend(backend);
}

async function firstWorking(device: TensorflowDevice, builds: readonly Build[]): Promise<TensorflowRuntime> {
  const reasons: string[] = [];
  for (const build of builds) {
    try {
      const { tf, backend } = await open(build);
      await requireWorking(tf, backend);
      const passedOver = reasons.length === 0 ? "" : ` (${reasons.join("; ")})`;
      return { tf, backend, name: `tensorflow.js ${tf.version_core}, ${build}${passedOver}` };
    } catch (error) {
      // A native build that nobody installed is no news; one that is installed and fails is.
      if (!isAbsent(error) || builds.length === 1) reasons.push(`${build}: ${firstLine(error)}`);
    }
  }
  throw new LearningError(
    "ENGINE_UNAVAILABLE",
    `TensorFlow.js cannot be used for device "${device}"${reasons.length === 0 ? "" : `: ${reasons.join("; ")}`}. Run \`${device === "cuda" ? CUDA : PORTABLE}\`, or choose another engine in the node's configuration.`,
    { device, builds, reasons },
  );
}

async function open(build: Build): Promise<{ tf: Tensorflow; backend: string }> {
  if (build === "tfjs-node-gpu" || build === "tfjs-node") {
    // Named by a variable: TypeScript and knip need not find what only some operators install.
    const name: string = `@tensorflow/${build}`;
    const native = (await import(name)) as { default?: Tensorflow } & Tensorflow;
    return { tf: native.default ?? native, backend: "tensorflow" };
  }
  const { default: tf } = (await import("@tensorflow/tfjs-core")) as unknown as { default: Tensorflow };
  // Otherwise the cpu backend greets everybody with a banner that recommends another package.
  tf.env().set("PROD", true);
  registerGradients(tf);
  if (build === "cpu") {
    await import("@tensorflow/tfjs-backend-cpu");
    return { tf, backend: "cpu" };
  }
  const { default: wasm } = (await import("@tensorflow/tfjs-backend-wasm")) as unknown as {
    default: typeof import("@tensorflow/tfjs-backend-wasm");
  };
  const manifest = fileURLToPath(import.meta.resolve("@tensorflow/tfjs-backend-wasm/package.json"));
  wasm.setWasmPaths(join(dirname(manifest), "dist") + sep);
  return { tf, backend: "wasm" };
}

/** A build may be installed for another Node or without its driver, and says so only when it computes. */
async function requireWorking(tf: Tensorflow, backend: string): Promise<void> {
  // It answers false, and stays on another backend, where it fails.
  if (!(await tf.setBackend(backend))) throw new Error(`the backend "${backend}" did not start`);
  const [value] = tf.tidy(() => tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync());
  if (value !== 11) throw new Error(`the backend "${backend}" gives 1·3 + 2·4 = ${value}`);
}

function isAbsent(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
}

const firstLine = (error: unknown): string => String((error as Error).message ?? error).split("\n", 1)[0] as string;
