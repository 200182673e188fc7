// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { ONNX_DEVICES } from "../learning/engines/onnxProviders.ts";
import { TENSORFLOW_DEVICES } from "../learning/engines/tensorflow/runtime.ts";
import type { LearningEngine } from "../learning/model.ts";
import type { Hints } from "../process/config.ts";

const threads = z.int().min(1).max(256).default(1);

/** What a member trains with (docs/engines.md). */
export const engineSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("onnxruntime-node"), device: z.enum(ONNX_DEVICES).default("cpu"), threads }),
  z.strictObject({ kind: z.literal("tensorflow"), device: z.enum(TENSORFLOW_DEVICES).default("auto"), threads }),
  z.strictObject({
    kind: z.literal("process"),
    /** Program and arguments. */
    command: z.array(z.string().min(1).max(4_096)).min(1).max(256),
    /** Folder that the program starts in. */
    folder: z.string().min(1).default("."),
    /** For the program, which knows what it means. */
    device: z.string().min(1).max(64).default("cpu"),
    threads,
    /** Time for one answer. */
    timeoutSeconds: z.int().min(1).max(86_400).default(600),
  }),
]);

export type EngineConfig = z.output<typeof engineSchema>;

export const engineHints: Hints = {
  engine: "write engine: { kind: onnxruntime-node, threads: 1 }, or leave it out",
  "engine.kind": "write onnxruntime-node, tensorflow or process",
  "engine.device": `write ${ONNX_DEVICES.join(", ")} for onnxruntime-node, ${TENSORFLOW_DEVICES.join(", ")} for tensorflow, or a word that your own program knows`,
  "engine.threads": "write a number from 1 to 256",
  "engine.command": "write program and arguments, e.g. command: [python3, member.py]",
  "engine.folder": "write the folder that the program starts in, or leave it out",
  "engine.timeoutSeconds": "write the time for one answer, from 1 to 86400",
};

/**
 * The engine of a configuration. What is not chosen is not loaded.
 *
 * @param passphraseVariable the environment variable that a process of the member's must not see.
 * @throws LearningError ENGINE_UNAVAILABLE
 */
export async function openEngine(config: EngineConfig, passphraseVariable: string): Promise<LearningEngine> {
  if (config.kind === "onnxruntime-node") {
    const { createOnnxNodeEngine } = await import("../learning/engines/onnxNode.ts");
    return createOnnxNodeEngine(config);
  }
  if (config.kind === "tensorflow") {
    const { createTensorflowEngine } = await import("../learning/engines/tensorflow.ts");
    return createTensorflowEngine(config);
  }
  const { createProcessEngine } = await import("../learning/engines/process.ts");
  const { command, folder: cwd, device, threads: count, timeoutSeconds } = config;
  const hiddenEnvironment = [passphraseVariable];
  return createProcessEngine({
    command,
    cwd,
    device,
    threads: count,
    timeoutMs: 1_000 * timeoutSeconds,
    hiddenEnvironment,
  });
}
