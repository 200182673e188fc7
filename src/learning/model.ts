// SPDX-License-Identifier: Apache-2.0

/**
 * The learning port: the little that every algorithm needs of a machine-learning runtime. First order only.
 *
 * Parameters are one flat float32 vector in the order of `layout`, so that deltas, compression and aggregation never need
 * to know what a model looks like. Arrays handed in are not changed and are not kept after the returned promise settles;
 * arrays handed out belong to the caller.
 */

import type { ModelConfig } from "../protocol/recipe/modelConfig.ts";
import type { ParameterTensor } from "./layout.ts";

/** Samples of one call. */
export interface Batch {
  /** size × inputs, row-major. */
  readonly features: Float32Array;
  /** Class of each sample. Without labels and soft targets the cross-entropy term is absent (0). */
  readonly labels?: Int32Array;
  readonly size: number;
}

/**
 * How stochastic or switched parts of a model behave. Randomness comes in as tensors (keyed masks by layer name), never
 * from the engine, so that several passes can share it and a replay can repeat it.
 */
export interface Mode {
  readonly phase: "train" | "eval";
  readonly masks?: Readonly<Record<string, Float32Array>>;
}

export const TRAINING: Mode = { phase: "train" };
export const EVALUATION: Mode = { phase: "eval" };

export interface ForwardResult {
  /** size × classes. */
  readonly logits: Float32Array;
  /** size × features: the input of the last linear layer. */
  readonly features: Float32Array;
}

/** What is differentiated, and with respect to what. */
export interface GradientRequest {
  /** size × classes; replaces the labels. Rows need not sum to 1 (a zero row leaves its sample out). */
  readonly softTargets?: Float32Array;
  /** Constants c: the inner product ⟨c, output⟩, summed over the batch and not averaged, is added to what is differentiated (not to `loss`). */
  readonly cotangents?: { readonly logits?: Float32Array; readonly features?: Float32Array };
  /** Names of the tensors to differentiate; others get gradient 0 and cost nothing. Default: all. */
  readonly trainable?: readonly string[];
  /** Also return the gradient with respect to the batch's features. */
  readonly wantInputs?: boolean;
}

export interface GradientResult extends ForwardResult {
  /** (1/size) Σ_b −Σ_c t_bc ln softmax(logits_b)_c, in nats. */
  readonly loss: number;
  /** Gradient of loss + Σ⟨cotangent, output⟩, in the order of the parameters. */
  readonly gradient: Float32Array;
  /** size × inputs, when asked for. */
  readonly inputGradient?: Float32Array;
}

/** Parameters and heavy-ball velocity between two steps. */
export interface OptimiserState {
  readonly parameters: Float32Array;
  readonly velocity: Float32Array;
}

/** One heavy-ball step: v' = β·v + g, w' = w − η·v', each operation rounded to float32; where β = 0, w' = w − η·g and v' is v itself. */
export interface StepOptions {
  /** η, rounded to float32. */
  readonly learningRate: number;
  /** β, rounded to float32; 0 is plain gradient descent, which neither reads nor changes the velocity: a vector less to write. */
  readonly momentum: number;
}

export interface StepResult extends OptimiserState {
  /** Loss before the step, in nats. */
  readonly loss: number;
}

/** A model of fixed shape on one engine. */
export interface Model {
  readonly config: ModelConfig;
  readonly layout: readonly ParameterTensor[];
  /** d: the length of every parameter vector. */
  readonly parameterCount: number;
  /** Samples the engine takes at once, where that is fixed. `forward` splits and pads; gradients refuse larger batches. */
  readonly batchSize?: number;

  /** @throws LearningError WRONG_SHAPE, UNSUPPORTED. */
  forward(parameters: Float32Array, batch: Batch, mode: Mode): Promise<ForwardResult>;
  /** @throws LearningError WRONG_SHAPE, UNSUPPORTED. */
  valueAndGradient(
    parameters: Float32Array,
    batch: Batch,
    request: GradientRequest,
    mode: Mode,
  ): Promise<GradientResult>;
  /**
   * A model of another configuration on the same engine, for algorithms that train with a part of an architecture. It lives as long as this one.
   *
   * @throws LearningError as the engine's `load` does.
   */
  variant?(config: ModelConfig): Promise<Model>;
  /** The composed path in one call, bit for bit (the contract suite holds engines to it). */
  step?(state: OptimiserState, batch: Batch, options: StepOptions, mode: Mode): Promise<StepResult>;
}

/** Runs models. One engine may serve many callers; calls on one model may overlap. */
export interface LearningEngine {
  /** For logs and reports, e.g. "onnxruntime-node 1.30.0". */
  readonly name: string;
  /** @throws LearningError UNSUPPORTED for a model the engine does not know, ENGINE_UNAVAILABLE when its runtime cannot start. */
  load(config: ModelConfig): Promise<Model>;
  /** Frees native memory; models of the engine must not be used afterwards. */
  dispose(): Promise<void>;
}

/** Which exact program computed something validators agree on. */
export interface AgreedEngineIdentity {
  readonly package: "onnxruntime-web";
  readonly version: string;
  /** SHA-256 of the WebAssembly binary, hexadecimal. */
  readonly wasmSha256: string;
}

/** A model on the agreed engine: same inputs, same bits, on every machine. Agreed utilities accept nothing else. */
export interface AgreedModel extends Model {
  readonly agreed: AgreedEngineIdentity;
  readonly batchSize: number;
  step(state: OptimiserState, batch: Batch, options: StepOptions, mode: Mode): Promise<StepResult>;
}
