// SPDX-License-Identifier: Apache-2.0
import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import type { LearningEngine, Model } from "../model.ts";
import { type Build, openRuntime, type TensorflowDevice } from "./tensorflow/runtime.ts";
import { TensorflowModel } from "./tensorflow/tensorflowModel.ts";

export interface TensorflowOptions {
  /** `cuda` asks for the native build with CUDA; `cpu` leaves it out; `auto` takes the fastest that works. */
  readonly device?: TensorflowDevice;
  /** For the native builds; the portable ones have one thread. Default 1. */
  readonly threads?: number;
  /** Builds to try instead of the device's, in order: for tests and benchmarks. */
  readonly builds?: readonly Build[];
}

/** Read by TensorFlow when it starts. */
const THREAD_VARIABLES = ["TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"];

/**
 * TensorFlow.js as engine: the native build where the operator installed one that works with this Node, else WebAssembly, else plain
 * JavaScript. First order only.
 *
 * @throws LearningError ENGINE_UNAVAILABLE with the command that installs it.
 */
export async function createTensorflowEngine({
  device = "auto",
  threads = 1,
  builds,
}: TensorflowOptions = {}): Promise<LearningEngine> {
  for (const name of THREAD_VARIABLES) process.env[name] ??= String(threads);
  const runtime = await openRuntime(device, builds);
  return {
    name: runtime.name,
    async load(config: ModelConfig): Promise<Model> {
      return new TensorflowModel(runtime, config);
    },
    // Tensors live for one call each.
    async dispose(): Promise<void> {},
  };
}
