// SPDX-License-Identifier: Apache-2.0
import type { ModelConfig } from "../../../protocol/recipe/modelConfig.ts";
import { LearningError } from "../../errors.ts";
import { featureWidth, type ParameterTensor, parameterCount, parameterLayout } from "../../layout.ts";
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
} from "../../model.ts";
import { checkLength, checkPass, checkRequest, targetRows } from "../../targets.ts";
import { trainableNames } from "../requests.ts";
import type { Answer, ChildChannel } from "./childChannel.ts";
import type { FloatTensor } from "./safetensors.ts";

/** Tensors by name and the shape each must have. */
type Shapes = Readonly<Record<string, readonly number[]>>;

export interface ProcessModelOptions {
  /** The number by which the process knows the model. */
  readonly model: number;
  readonly timeoutMs: number;
  /** Whether the process answers `step`. */
  readonly fusedStep: boolean;
  readonly variant: NonNullable<Model["variant"]>;
}

/** The learning port over a child process: what goes out is checked like on every engine, what comes back as if a stranger had sent it. */
export class ProcessModel implements Model {
  readonly config: ModelConfig;
  readonly layout: readonly ParameterTensor[];
  readonly parameterCount: number;
  /** Only where the process does it. */
  readonly step?: NonNullable<Model["step"]>;
  readonly variant: NonNullable<Model["variant"]>;
  readonly #channel: ChildChannel;
  readonly #model: number;
  readonly #timeoutMs: number;
  readonly #featureWidth: number;

  constructor(config: ModelConfig, channel: ChildChannel, options: ProcessModelOptions) {
    this.config = config;
    this.layout = parameterLayout(config);
    this.parameterCount = parameterCount(config);
    this.#featureWidth = featureWidth(config);
    this.#channel = channel;
    this.#model = options.model;
    this.#timeoutMs = options.timeoutMs;
    this.variant = options.variant;
    if (options.fusedStep) this.step = this.#step.bind(this);
  }

  async forward(parameters: Float32Array, batch: Batch, mode: Mode): Promise<ForwardResult> {
    checkPass(this, parameters, batch, mode);
    const answer = await this.#ask(
      "forward",
      {},
      this.#inputs(parameters, batch, mode),
      this.#outputShapes(batch),
      mode,
    );
    return { logits: answer("logits"), features: answer("features") };
  }

  async valueAndGradient(
    parameters: Float32Array,
    batch: Batch,
    request: GradientRequest,
    mode: Mode,
  ): Promise<GradientResult> {
    checkPass(this, parameters, batch, mode);
    checkRequest(this.config, request, batch);
    const trainable = trainableNames(this.layout, request);
    const wantInputs = request.wantInputs ?? false;
    const tensors = this.#inputs(parameters, batch, mode);
    tensors["targets"] = this.#rows(targetRows(this.config, batch, request), batch, this.config.classes);
    const { logits, features } = request.cotangents ?? {};
    if (logits !== undefined) tensors["logit_cotangent"] = this.#rows(logits, batch, this.config.classes);
    if (features !== undefined) tensors["feature_cotangent"] = this.#rows(features, batch, this.#featureWidth);
    const shapes: Shapes = {
      loss: [],
      ...this.#outputShapes(batch),
      gradient: [this.parameterCount],
      ...(wantInputs ? { input_gradient: [batch.size, this.config.inputs] } : {}),
    };
    const answer = await this.#ask("valueAndGradient", { trainable, wantInputs }, tensors, shapes, mode);
    const gradient = answer("gradient");
    await this.#requireFrozen(gradient, trainable);
    return {
      loss: answer("loss")[0] as number,
      logits: answer("logits"),
      features: answer("features"),
      gradient,
      ...(wantInputs ? { inputGradient: answer("input_gradient") } : {}),
    };
  }

  async #step(
    state: OptimiserState,
    batch: Batch,
    { learningRate, momentum }: StepOptions,
    mode: Mode,
  ): Promise<StepResult> {
    checkPass(this, state.parameters, batch, mode);
    checkLength("velocity", state.velocity, this.parameterCount);
    const tensors = {
      ...this.#inputs(state.parameters, batch, mode),
      velocity: this.#flat(state.velocity),
      targets: this.#rows(targetRows(this.config, batch, {}), batch, this.config.classes),
      learning_rate: scalar(learningRate),
      momentum: scalar(momentum),
    };
    const d = [this.parameterCount];
    const answer = await this.#ask("step", {}, tensors, { loss: [], parameters: d, velocity: d }, mode);
    return {
      parameters: answer("parameters"),
      velocity: momentum === 0 ? state.velocity : answer("velocity"),
      loss: answer("loss")[0] as number,
    };
  }

  #inputs(parameters: Float32Array, batch: Batch, mode: Mode): Record<string, FloatTensor> {
    const tensors: Record<string, FloatTensor> = {
      parameters: this.#flat(parameters),
      features: this.#rows(batch.features, batch, this.config.inputs),
    };
    for (const [layer, mask] of Object.entries(mode.masks ?? {}))
      tensors[`mask.${layer}`] = { shape: [mask.length], data: mask };
    return tensors;
  }

  #outputShapes({ size }: Batch): Shapes {
    return { logits: [size, this.config.classes], features: [size, this.#featureWidth] };
  }

  #flat(data: Float32Array): FloatTensor {
    return { shape: [this.parameterCount], data };
  }

  #rows(data: Float32Array, { size }: Batch, width: number): FloatTensor {
    return { shape: [size, width], data };
  }

  /** @returns the answer's tensors by name, all of the shapes asked for and finite. */
  async #ask(
    type: string,
    header: Readonly<Record<string, unknown>>,
    tensors: Readonly<Record<string, FloatTensor>>,
    shapes: Shapes,
    { phase }: Mode,
  ): Promise<(name: string) => Float32Array> {
    const mostValues = Object.values(shapes).reduce((sum, shape) => sum + volume(shape), 0);
    const answer = await this.#channel.ask({
      header: { type, model: this.#model, phase, ...header },
      tensors,
      mostValues,
      timeoutMs: this.#timeoutMs,
    });
    const wrong = wrongIn(answer, shapes);
    if (wrong !== undefined) throw await this.#channel.condemn(`its answer to "${type}" ${wrong}`);
    for (const [name, { data }] of answer.tensors) requireFinite(type, name, data);
    return (name) => (answer.tensors.get(name) as FloatTensor).data;
  }

  /** Tensors that are not to be trained have gradient 0: a process that ignores `trainable` would train something else. */
  async #requireFrozen(gradient: Float32Array, trainable: readonly string[]): Promise<void> {
    for (const { name, offset, size } of this.layout) {
      if (trainable.includes(name)) continue;
      if (gradient.subarray(offset, offset + size).some((value) => value !== 0))
        throw await this.#channel.condemn(`it gave a gradient for "${name}", which is not trained`);
    }
  }
}

function wrongIn({ header, tensors }: Answer, shapes: Shapes): string | undefined {
  if (header.type !== "result") return `is of type "${header.type}" and no result`;
  const unknown = [...tensors.keys()].find((name) => !Object.hasOwn(shapes, name));
  if (unknown !== undefined) return `holds "${unknown}", which was not asked for`;
  for (const [name, shape] of Object.entries(shapes)) {
    const found = tensors.get(name)?.shape;
    if (found === undefined) return `lacks "${name}"`;
    if (found.length !== shape.length || found.some((extent, i) => extent !== shape[i]))
      return `has "${name}" of shape [${found.join(", ")}]; [${shape.join(", ")}] is right`;
  }
  return undefined;
}

function requireFinite(type: string, name: string, data: Float32Array): void {
  // A loop: a function called for each value would take as long as the pipe does.
  let at = 0;
  while (at < data.length && Number.isFinite(data[at])) at++;
  if (at === data.length) return;
  throw new LearningError(
    "DIVERGED",
    `The engine's process answered "${type}" with ${data[at]} at place ${at} of "${name}". Lower the learning rate; if it is low, the model in the process is at fault.`,
    { asked: type, tensor: name, index: at, value: data[at] },
  );
}

const volume = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

const scalar = (value: number): FloatTensor => ({ shape: [], data: Float32Array.of(value) });
