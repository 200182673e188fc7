// SPDX-License-Identifier: Apache-2.0
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../../protocol/recipe/modelConfig.ts";
import { featureWidth, modelOutputs, type ParameterTensor, parameterCount, parameterLayout } from "../../layout.ts";
import type { Batch, ForwardResult, GradientRequest, GradientResult, Mode, Model } from "../../model.ts";
import { checkPass, checkRequest, targetRows } from "../../targets.ts";
import { trainableNames } from "../requests.ts";
import { type TensorflowRuntime, useBackend } from "./runtime.ts";
import { TensorflowOperations } from "./tensorflowOperations.ts";

interface Outputs {
  readonly logits: Tensor;
  readonly features: Tensor;
}

/** What one pass works on; `parameters` by name. */
interface Given {
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly masks: ReadonlyMap<string, Tensor>;
  readonly input: Tensor;
}

/** The learning port over TensorFlow.js. Tensors live for one call; between calls the engine holds no memory of the library. */
export class TensorflowModel implements Model {
  readonly config: ModelConfig;
  readonly layout: readonly ParameterTensor[];
  readonly parameterCount: number;
  readonly #runtime: TensorflowRuntime;

  constructor(runtime: TensorflowRuntime, config: ModelConfig) {
    this.#runtime = runtime;
    this.config = config;
    this.layout = parameterLayout(config);
    this.parameterCount = parameterCount(config);
  }

  async forward(parameters: Float32Array, batch: Batch, mode: Mode): Promise<ForwardResult> {
    checkPass(this, parameters, batch, mode);
    return this.#inScope(() => read(this.#outputs(this.#given(parameters, batch, mode))));
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
    const targets = targetRows(this.config, batch, request);
    const { logits: logitCotangent, features: featureCotangent } = request.cotangents ?? {};
    const width = featureWidth(this.config);

    const { tf } = this.#runtime;
    return this.#inScope(() => {
      const given = this.#given(parameters, batch, mode);
      const wantInputs = request.wantInputs ?? false;
      let outputs: Outputs | undefined;
      let loss: Tensor | undefined;
      const total = (): Scalar => {
        outputs = this.#outputs(given, constants);
        // What a gradient's own scope would throw away.
        tf.keep(outputs.logits);
        tf.keep(outputs.features);
        const crossEntropy = tf.sum(tf.mul(tf.logSoftmax(outputs.logits), rows(targets, this.config.classes)));
        loss = tf.keep(tf.mul(crossEntropy, -1 / batch.size));
        let sum = loss;
        if (logitCotangent !== undefined)
          sum = tf.add(sum, tf.sum(tf.mul(outputs.logits, rows(logitCotangent, this.config.classes))));
        if (featureCotangent !== undefined)
          sum = tf.add(sum, tf.sum(tf.mul(outputs.features, rows(featureCotangent, width))));
        return sum as Scalar;
      };
      const rows = (values: Float32Array, columns: number): Tensor => tf.tensor2d(values, [batch.size, columns]);
      const variables = trainable.map((name) => given.parameters.get(name) as Tensor);
      if (wantInputs) variables.push(given.input);
      const constants = [...given.parameters.values(), given.input].filter((tensor) => !variables.includes(tensor));
      try {
        let grads: readonly (Tensor | undefined)[] = [];
        if (variables.length === 0) total();
        // `tf.grads` would refuse what the output does not depend on; here its gradient is 0.
        else grads = tf.engine().gradients(total, variables, undefined, true).grads;
        return {
          loss: floats(loss as unknown as Tensor)[0] as number,
          ...read(outputs as unknown as Outputs),
          gradient: this.#flat(trainable, grads),
          ...(wantInputs ? { inputGradient: floats(grads.at(-1) as Tensor) } : {}),
        };
      } finally {
        tf.dispose([loss, outputs?.logits, outputs?.features].filter((tensor) => tensor !== undefined));
      }
    });
  }

  async variant(config: ModelConfig): Promise<Model> {
    return new TensorflowModel(this.#runtime, config);
  }

  /** Works on this engine's backend, in one go; tensors made within are freed, whatever is thrown. */
  #inScope<T>(work: () => T): T {
    let result: T | undefined;
    useBackend(this.#runtime);
    this.#runtime.tf.tidy(() => {
      result = work();
    });
    return result as T;
  }

  #given(parameters: Float32Array, batch: Batch, mode: Mode): Given {
    const { tf } = this.#runtime;
    return {
      parameters: new Map(
        this.layout.map(({ name, shape, offset, size }) => [
          name,
          tf.tensor(parameters.slice(offset, offset + size), [...shape]),
        ]),
      ),
      masks: new Map(
        Object.entries(mode.masks ?? {}).map(([name, mask]) => [
          name,
          tf.tensor2d(mask.slice(), [batch.size, mask.length / batch.size]),
        ]),
      ),
      input: tf.tensor2d(batch.features.slice(), [batch.size, this.config.inputs]),
    };
  }

  /** @param constants what nothing is differentiated by. */
  #outputs({ parameters, masks, input }: Given, constants: readonly Tensor[] = []): Outputs {
    const operations = new TensorflowOperations(this.#runtime.tf, parameters, masks, constants);
    return modelOutputs(this.config, operations, input);
  }

  #flat(trainable: readonly string[], grads: readonly (Tensor | undefined)[]): Float32Array {
    const gradient = new Float32Array(this.parameterCount);
    for (const { name, offset } of this.layout) {
      const i = trainable.indexOf(name);
      if (i >= 0) gradient.set(grads[i]?.dataSync() ?? [], offset);
    }
    return gradient;
  }
}

/** A copy: what the library hands out may be its own memory. */
const floats = (tensor: Tensor): Float32Array => (tensor.dataSync() as Float32Array).slice();

const read = ({ logits, features }: Outputs): ForwardResult => ({ logits: floats(logits), features: floats(features) });
