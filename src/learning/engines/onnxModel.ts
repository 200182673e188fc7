// SPDX-License-Identifier: Apache-2.0

/**
 * The learning port over any ONNX runtime. Graphs are emitted and sessions opened on first use, one per variant, and kept.
 */

import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import { LearningError } from "../errors.ts";
import { dropoutLayers, featureWidth, type ParameterTensor, parameterCount, parameterLayout } from "../layout.ts";
import type {
  Batch,
  ForwardResult,
  GradientRequest,
  GradientResult,
  Mode,
  Model,
  OptimiserState,
  StepOptions,
  StepResult,
} from "../model.ts";
import {
  type EmittedGraph,
  emitForward,
  emitGradient,
  emitStep,
  type GradientVariant,
  maskInput,
} from "../onnx/emit.ts";
import type { GraphOptions } from "../onnx/graph.ts";
import type { DropoutLayer } from "../operations.ts";
import { checkLength, checkPass, checkRequest, targetRows } from "../targets.ts";
import { trainableNames } from "./requests.ts";

/** What is needed of a runtime; `onnxruntime-node` and `onnxruntime-web` share these types. */
export interface OnnxRuntime extends GraphOptions {
  open(graph: Uint8Array): Promise<InferenceSession>;
  tensor(data: Float32Array, shape: readonly number[]): Tensor;
}

interface OpenGraph {
  readonly graph: EmittedGraph;
  readonly session: InferenceSession;
}

type Feeds = Record<string, Tensor>;

export class OnnxModel implements Model {
  readonly config: ModelConfig;
  readonly layout: readonly ParameterTensor[];
  readonly parameterCount: number;
  readonly batchSize?: number;
  readonly #runtime: OnnxRuntime;
  readonly #featureWidth: number;
  readonly #dropoutLayers: readonly DropoutLayer[];
  readonly #opened = new Map<string, Promise<OpenGraph>>();
  readonly #variants: OnnxModel[] = [];

  /** @param batchSize batches are padded to it with zero rows (weight zero in every gradient); without it graphs take any size. */
  constructor(runtime: OnnxRuntime, config: ModelConfig, batchSize?: number) {
    this.#runtime = runtime;
    this.config = config;
    this.layout = parameterLayout(config);
    this.parameterCount = parameterCount(config);
    this.#featureWidth = featureWidth(config);
    this.#dropoutLayers = dropoutLayers(config);
    if (batchSize !== undefined) this.batchSize = batchSize;
  }

  async forward(parameters: Float32Array, batch: Batch, mode: Mode): Promise<ForwardResult> {
    checkPass(this, parameters, batch, mode);
    const masked = this.#masked(mode);
    const open = await this.#open(`forward ${masked}`, () => emitForward(this.config, this.#extent, masked));
    const step = this.batchSize ?? batch.size;
    if (step >= batch.size) return this.#forwardOnce(open, parameters, batch, mode);

    const parts: ForwardResult[] = [];
    for (let start = 0; start < batch.size; start += step) {
      const size = Math.min(step, batch.size - start);
      const features = batch.features.subarray(start * this.config.inputs, (start + size) * this.config.inputs);
      parts.push(await this.#forwardOnce(open, parameters, { features, size }, this.#modeOf(mode, start, size)));
    }
    return {
      logits: joined(parts.map(({ logits }) => logits)),
      features: joined(parts.map(({ features }) => features)),
    };
  }

  async valueAndGradient(
    parameters: Float32Array,
    batch: Batch,
    request: GradientRequest,
    mode: Mode,
  ): Promise<GradientResult> {
    checkPass(this, parameters, batch, mode);
    this.#checkFits(batch);
    checkRequest(this.config, request, batch);
    const variant = this.#variantOf(request, mode);
    const { graph, session } = await this.#open(gradientKey(variant), () =>
      emitGradient(this.config, this.#extent, variant, this.#runtime),
    );

    const feeds = this.#feeds(parameters, batch, mode);
    this.#addTargets(feeds, batch, targetRows(this.config, batch, request));
    const { logits: logitCotangent, features: featureCotangent } = request.cotangents ?? {};
    if (logitCotangent !== undefined)
      feeds["logit_cotangent"] = this.#rows(logitCotangent, batch.size, this.config.classes);
    // A gradient that stops above the features has no such input.
    if (featureCotangent !== undefined && graph.inputs.includes("feature_cotangent"))
      feeds["feature_cotangent"] = this.#rows(featureCotangent, batch.size, this.#featureWidth);

    const results = await session.run(feeds);
    const inputGradient = variant.wantInputs
      ? firstRows(floats(results, "input_gradient"), batch.size, this.config.inputs)
      : undefined;
    return {
      loss: meanLoss(results, batch),
      ...this.#outputs(results, batch),
      gradient: floats(results, "gradient"),
      ...(inputGradient === undefined ? {} : { inputGradient }),
    };
  }

  async step(
    state: OptimiserState,
    batch: Batch,
    { learningRate, momentum }: StepOptions,
    mode: Mode,
  ): Promise<StepResult> {
    checkPass(this, state.parameters, batch, mode);
    this.#checkFits(batch);
    checkLength("velocity", state.velocity, this.parameterCount);
    const variant = { masks: this.#masked(mode), momentum: momentum !== 0 };
    const { session } = await this.#open(`step ${variant.masks} ${variant.momentum}`, () =>
      emitStep(this.config, this.#extent, variant, this.#runtime),
    );
    const feeds = this.#feeds(state.parameters, batch, mode);
    this.#addTargets(feeds, batch, targetRows(this.config, batch, {}));
    feeds["learning_rate"] = this.#scalar(learningRate);
    if (variant.momentum) {
      feeds["velocity"] = this.#runtime.tensor(state.velocity, [this.parameterCount]);
      feeds["momentum"] = this.#scalar(momentum);
    }
    const results = await session.run(feeds);
    return {
      parameters: floats(results, "new_parameters"),
      velocity: variant.momentum ? floats(results, "new_velocity") : state.velocity,
      loss: meanLoss(results, batch),
    };
  }

  async variant(config: ModelConfig): Promise<Model> {
    const model = new OnnxModel(this.#runtime, config, this.batchSize);
    this.#variants.push(model);
    return model;
  }

  /** Frees the sessions' native memory, those of variants too. */
  async release(): Promise<void> {
    for (const model of this.#variants.splice(0)) await model.release();
    const opened = await Promise.allSettled(this.#opened.values());
    this.#opened.clear();
    for (const result of opened) if (result.status === "fulfilled") await result.value.session.release();
  }

  get #extent(): number | string {
    return this.batchSize ?? "batch";
  }

  /** Whether graphs of this mode take masks. */
  #masked(mode: Mode): boolean {
    return mode.phase === "train" && this.#dropoutLayers.length > 0;
  }

  /** The mode of some of a batch's samples. */
  #modeOf(mode: Mode, start: number, size: number): Mode {
    if (!this.#masked(mode)) return mode;
    const masks = this.#dropoutLayers.map(({ name, width }) => [
      name,
      mode.masks?.[name]?.subarray(start * width, (start + size) * width),
    ]);
    return { ...mode, masks: Object.fromEntries(masks) };
  }

  #checkFits(batch: Batch): void {
    if (this.batchSize === undefined || batch.size <= this.batchSize) return;
    throw new LearningError(
      "UNSUPPORTED",
      `A gradient over ${batch.size} samples does not fit this engine's fixed batch of ${this.batchSize}. Split the batch, or load an engine with a larger one.`,
      {
        size: batch.size,
        batchSize: this.batchSize,
      },
    );
  }

  #variantOf(request: GradientRequest, mode: Mode): GradientVariant {
    return {
      logitCotangent: request.cotangents?.logits !== undefined,
      featureCotangent: request.cotangents?.features !== undefined,
      // In layout order, so that one set of names is one variant.
      trainable: new Set(trainableNames(this.layout, request)),
      wantInputs: request.wantInputs ?? false,
      masks: this.#masked(mode),
    };
  }

  #open(key: string, emit: () => EmittedGraph): Promise<OpenGraph> {
    let opened = this.#opened.get(key);
    if (opened === undefined) {
      const graph = emit();
      opened = this.#runtime.open(graph.bytes).then((session) => ({ graph, session }));
      this.#opened.set(key, opened);
      // A failure is reported to whoever asked; the next call tries again.
      opened.catch(() => this.#opened.delete(key));
    }
    return opened;
  }

  async #forwardOnce(
    { session }: OpenGraph,
    parameters: Float32Array,
    batch: Batch,
    mode: Mode,
  ): Promise<ForwardResult> {
    return this.#outputs(await session.run(this.#feeds(parameters, batch, mode)), batch);
  }

  #feeds(parameters: Float32Array, batch: Batch, mode: Mode): Feeds {
    const feeds: Feeds = {
      parameters: this.#runtime.tensor(parameters, [this.parameterCount]),
      features_in: this.#rows(batch.features, batch.size, this.config.inputs),
    };
    for (const { name, width } of this.#masked(mode) ? this.#dropoutLayers : [])
      feeds[maskInput(name)] = this.#rows(mode.masks?.[name] as Float32Array, batch.size, width);
    return feeds;
  }

  #addTargets(feeds: Feeds, batch: Batch, targets: Float32Array): void {
    feeds["targets"] = this.#rows(targets, batch.size, this.config.classes);
    feeds["scale"] = this.#scalar(1 / batch.size);
  }

  #outputs(results: InferenceSession.OnnxValueMapType, batch: Batch): ForwardResult {
    return {
      logits: firstRows(floats(results, "logits"), batch.size, this.config.classes),
      features: firstRows(floats(results, "features"), batch.size, this.#featureWidth),
    };
  }

  #scalar(value: number): Tensor {
    return this.#runtime.tensor(Float32Array.of(value), []);
  }

  /** A size × width tensor, padded with zero rows to the fixed batch. */
  #rows(data: Float32Array, size: number, width: number): Tensor {
    const rows = this.batchSize ?? size;
    if (rows === size) return this.#runtime.tensor(data, [size, width]);
    const padded = new Float32Array(rows * width);
    padded.set(data);
    return this.#runtime.tensor(padded, [rows, width]);
  }
}

/** One string per variant. Names have no blanks; small models make a step in 40 µs, of which JSON would be one or two. */
function gradientKey({ trainable, logitCotangent, featureCotangent, wantInputs, masks }: GradientVariant): string {
  return `gradient ${logitCotangent} ${featureCotangent} ${wantInputs} ${masks} ${[...trainable].join(" ")}`;
}

/** −Σ_b Σ_c t_bc ln p_bc / size, rounded like a float32 product. */
function meanLoss(results: InferenceSession.OnnxValueMapType, { size }: Batch): number {
  return Math.fround(-(floats(results, "log_likelihood")[0] as number) * Math.fround(1 / size));
}

function floats(results: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  return (results[name] as Tensor).data as Float32Array;
}

/** The rows of the batch itself, without padding. */
function firstRows(data: Float32Array, size: number, width: number): Float32Array {
  return data.length === size * width ? data : data.slice(0, size * width);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
