// SPDX-License-Identifier: Apache-2.0

/**
 * The agreed engine: ONNX Runtime's WebAssembly build on one thread.
 *
 * WebAssembly fixes every float operation, and the plain build uses none of the relaxed SIMD instructions whose rounding is
 * left open (wabt's wasm-validate accepts it with relaxed SIMD disabled); so one binary, one graph and one batch size give one result on every machine, where the native builds pick
 * kernels by CPU and differ in the last bits. To hold that, the exact binary is pinned by its hash, and handed to the
 * runtime as the bytes that were hashed. `test/slow/agreedEngineCpus.test.ts` runs it on several emulated CPUs.
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import type { Recipe } from "../../protocol/recipe.ts";
import { LearningError } from "../errors.ts";
import type { AgreedEngineIdentity, AgreedModel, LearningEngine } from "../model.ts";
import { OnnxModel, type OnnxRuntime } from "./onnxModel.ts";

/** The build this version of Foedus computes agreed utilities with. Changing it changes results: a new recipe, and new digests. */
export const AGREED_ENGINE: AgreedEngineIdentity = {
  package: "onnxruntime-web",
  version: "1.30.0",
  wasmSha256: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
};

/** The part of a recipe that fixes the engine. */
export type AgreedEngineConfig = Recipe["scoring"]["engine"];

export interface AgreedEngine extends LearningEngine {
  load(config: ModelConfig): Promise<AgreedModel>;
}

class AgreedOnnxModel extends OnnxModel implements AgreedModel {
  declare readonly batchSize: number;
  readonly agreed = AGREED_ENGINE;
}

/**
 * The engine a recipe names.
 *
 * @throws LearningError ENGINE_UNAVAILABLE when the recipe asks for another version than this one, or the installed
 *   WebAssembly binary is not the pinned one.
 */
export async function createAgreedEngine({ version, batchSize }: AgreedEngineConfig): Promise<AgreedEngine> {
  if (version !== AGREED_ENGINE.version) {
    throw new LearningError(
      "ENGINE_UNAVAILABLE",
      `The recipe computes utilities with onnxruntime-web ${version}; this Foedus has ${AGREED_ENGINE.version}. Use the release of Foedus the run was opened with.`,
      { wanted: version, have: AGREED_ENGINE.version },
    );
  }
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new LearningError("WRONG_SHAPE", `The agreed batch size is a positive integer; got ${batchSize}.`, {
      batchSize,
    });
  }
  const runtime = await startRuntime();
  const models: AgreedOnnxModel[] = [];
  return {
    name: `onnxruntime-web ${AGREED_ENGINE.version} (agreed)`,
    async load(config: ModelConfig): Promise<AgreedModel> {
      const model = new AgreedOnnxModel(runtime, config, batchSize);
      models.push(model);
      return model;
    },
    async dispose(): Promise<void> {
      for (const model of models.splice(0)) await model.release();
    },
  };
}

let started: Promise<OnnxRuntime> | undefined;

/** The runtime's WebAssembly instance is one per process; engines share it. */
function startRuntime(): Promise<OnnxRuntime> {
  started ??= loadRuntime().catch((error: unknown) => {
    started = undefined;
    throw error;
  });
  return started;
}

async function loadRuntime(): Promise<OnnxRuntime> {
  const wasmBinary = await pinnedBinary();
  const { InferenceSession, Tensor, env } = await import("onnxruntime-web/wasm");
  env.wasm.wasmBinary = wasmBinary;
  env.wasm.numThreads = 1;
  env.wasm.proxy = false;
  env.logLevel = "error";
  return {
    open: (graph) =>
      InferenceSession.create(graph, {
        executionProviders: ["wasm"],
        executionMode: "sequential",
        // Rewrites that keep each operator's meaning; fused kernels would be further things to agree on.
        graphOptimizationLevel: "basic",
      }),
    tensor: (data, shape) => new Tensor("float32", data, shape),
  };
}

async function pinnedBinary(): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(fileURLToPath(import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm")));
  } catch (cause) {
    throw new LearningError("ENGINE_UNAVAILABLE", "onnxruntime-web is not installed. Run `npm ci`.", {}, cause);
  }
  checkAgreedBinary(bytes);
  return bytes;
}

/** @throws LearningError ENGINE_UNAVAILABLE unless the bytes are the pinned WebAssembly binary. */
export function checkAgreedBinary(bytes: Uint8Array): void {
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found === AGREED_ENGINE.wasmSha256) return;
  throw new LearningError(
    "ENGINE_UNAVAILABLE",
    `The installed onnxruntime-web has WebAssembly ${found}, not the agreed ${AGREED_ENGINE.wasmSha256}: its utilities might differ from the other validators'. Run \`npm ci\` to install version ${AGREED_ENGINE.version}.`,
    { found, wanted: AGREED_ENGINE.wasmSha256 },
  );
}
