// SPDX-License-Identifier: Apache-2.0
import type { InferenceSession } from "onnxruntime-node";
import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import { LearningError } from "../errors.ts";
import type { LearningEngine, Model } from "../model.ts";
import { OnnxModel, type OnnxRuntime } from "./onnxModel.ts";
import { chooseProvider, type OnnxDevice, type OnnxProvider } from "./onnxProviders.ts";

export interface OnnxNodeOptions {
  /** Threads per operator. 1 gives the same bits from run to run on one machine; more are faster for large models only. */
  readonly threads?: number;
  /** Where it computes; default the processor. */
  readonly device?: OnnxDevice;
}

/**
 * The members' default engine: onnxruntime-node, on the processor unless told otherwise. Results depend on the machine in their last bits,
 * which is fine for training a member's own update and never used for anything validators agree on.
 *
 * @throws LearningError ENGINE_UNAVAILABLE when the native module cannot be loaded, or the device cannot be used.
 */
export async function createOnnxNodeEngine({
  threads = 1,
  device = "cpu",
}: OnnxNodeOptions = {}): Promise<LearningEngine> {
  const provider = await chooseProvider(device);
  const { InferenceSession, Tensor, env } = await importRuntime();
  const runtime: OnnxRuntime = {
    open: (graph) => {
      const opening = InferenceSession.create(graph, {
        executionProviders: [provider],
        executionMode: "sequential",
        interOpNumThreads: 1,
        intraOpNumThreads: threads,
        // Idle worker threads would otherwise burn a core each, waiting for the next operator.
        extra: { session: { intra_op: { allow_spinning: "0" } } },
        logSeverityLevel: 3,
      });
      return provider === "cpu" ? opening : refusingWhatItLacks(opening, provider);
    },
    tensor: (data, shape) => new Tensor("float32", data, shape),
    scattersInOrder: provider === "cpu",
  };
  const models: OnnxModel[] = [];
  return {
    name: `onnxruntime-node ${env.versions.node ?? "of unknown version"}, ${provider}`,
    async load(config: ModelConfig): Promise<Model> {
      const model = new OnnxModel(runtime, config);
      models.push(model);
      return model;
    },
    async dispose(): Promise<void> {
      for (const model of models.splice(0)) await model.release();
    },
  };
}

/** Providers of GPUs lack an operator or a size here and there, and say so when a graph is opened or only when it runs. */
async function refusingWhatItLacks(
  opening: Promise<InferenceSession>,
  provider: OnnxProvider,
): Promise<InferenceSession> {
  const refuse = (cause: Error): never => {
    throw new LearningError(
      "UNSUPPORTED",
      `onnxruntime-node cannot run this model with ${provider}: ${cause.message.trim().split("\n", 1)[0]}. Set device: cpu.`,
      { provider },
      cause,
    );
  };
  const session = await opening.catch(refuse);
  const run = session.run.bind(session) as (...args: unknown[]) => ReturnType<InferenceSession["run"]>;
  session.run = ((...args: unknown[]) => run(...args).catch(refuse)) as InferenceSession["run"];
  return session;
}

async function importRuntime(): Promise<typeof import("onnxruntime-node")> {
  try {
    return await import("onnxruntime-node");
  } catch (cause) {
    throw new LearningError(
      "ENGINE_UNAVAILABLE",
      "onnxruntime-node cannot be loaded on this machine. Run `npm ci`; if its platform is not supported, choose another engine in the node's configuration.",
      {},
      cause,
    );
  }
}
