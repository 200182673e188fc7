// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import { LearningError } from "../errors.ts";
import type { ParameterTensor } from "../layout.ts";
import type { Mode, Model } from "../model.ts";

type TransformerConfig = Extract<ModelConfig, { kind: "transformer" }>;

const BLOCK = /^encoder\.layers\.(\d+)\./;

/** Networks of each model with fewer blocks, by their number: opened once, whoever asks. */
const OPENED = new WeakMap<Model, Map<number, Promise<Model>>>();

/**
 * The configuration of a transformer of which blocks can be left out.
 *
 * @throws ConfigError for other models, and for fewer than three blocks: the first and the last always stay.
 */
export function droppableConfig({ config }: Model): TransformerConfig {
  if (config.kind !== "transformer")
    throw new ConfigError(
      `DropPEFT leaves out blocks of a transformer, and the model is a ${config.kind}. Take a transformer of three blocks or more, or another client algorithm.`,
      { kind: config.kind },
    );
  if (config.blocks < 3)
    throw new ConfigError(
      `DropPEFT keeps the first and the last block, and the transformer has ${config.blocks}: none would be left out. Give it three blocks or more.`,
      { blocks: config.blocks },
    );
  return config;
}

/**
 * A transformer without some of its blocks, of which only the skip connection is left. The rest is a transformer of fewer blocks: its graphs are
 * loaded when first asked for, one for each number of blocks, and parameters, masks and gradients are carried between the two, so that a block that
 * is left out is not computed in either direction. Its parameters' gradient is 0.
 */
export type ThinnedModel = Pick<Model, "forward" | "valueAndGradient">;

/**
 * @param kept indices of the blocks that stay, ascending.
 * @throws LearningError UNSUPPORTED where the engine has no models of other shapes.
 */
export async function thinned(model: Model, kept: readonly number[]): Promise<ThinnedModel> {
  const config = droppableConfig(model);
  if (kept.length === config.blocks) return model;
  const thin = await opened(model, { ...config, blocks: kept.length });
  const whole = new Map(model.layout.map((tensor) => [tensor.name, tensor]));
  const pairs = thin.layout.map((tensor): [ParameterTensor, ParameterTensor] => [
    tensor,
    whole.get(nameInWhole(tensor.name, kept)) as ParameterTensor,
  ]);
  const gathered = (parameters: Float32Array): Float32Array => {
    const values = new Float32Array(thin.parameterCount);
    for (const [own, { offset, size }] of pairs) values.set(parameters.subarray(offset, offset + size), own.offset);
    return values;
  };
  return {
    forward: (parameters, batch, mode) => thin.forward(gathered(parameters), batch, keptMasks(mode, kept)),
    async valueAndGradient(parameters, batch, request, mode) {
      const trained = request.trainable === undefined ? undefined : new Set(request.trainable);
      const trainable = pairs.filter(([, { name }]) => trained === undefined || trained.has(name));
      const inner = { ...request, trainable: trainable.map(([{ name }]) => name) };
      const result = await thin.valueAndGradient(gathered(parameters), batch, inner, keptMasks(mode, kept));
      const gradient = new Float32Array(model.parameterCount);
      for (const [{ offset, size }, place] of trainable)
        gradient.set(result.gradient.subarray(offset, offset + size), place.offset);
      return { ...result, gradient };
    },
  };
}

async function opened(model: Model, config: TransformerConfig): Promise<Model> {
  if (model.variant === undefined)
    throw new LearningError(
      "UNSUPPORTED",
      "This engine loads one model only; DropPEFT needs transformers of fewer blocks beside it. Take another engine or client algorithm.",
      { blocks: config.blocks },
    );
  const models = OPENED.get(model) ?? new Map<number, Promise<Model>>();
  OPENED.set(model, models);
  let found = models.get(config.blocks);
  if (found === undefined) {
    found = model.variant(config);
    models.set(config.blocks, found);
    // A failure is reported to whoever asked; the next call tries again.
    found.catch(() => models.delete(config.blocks));
  }
  return found;
}

/** A tensor of the thin network by its name in the whole one. */
function nameInWhole(name: string, kept: readonly number[]): string {
  return name.replace(BLOCK, (_, block: string) => `encoder.layers.${kept[Number(block)]}.`);
}

/** The masks of the blocks that stay, under their names in the thin network. */
function keptMasks(mode: Mode, kept: readonly number[]): Mode {
  if (mode.masks === undefined) return mode;
  const masks = Object.entries(mode.masks).flatMap(([name, mask]): [string, Float32Array][] => {
    const block = BLOCK.exec(name)?.[1];
    if (block === undefined) return [[name, mask]];
    const place = kept.indexOf(Number(block));
    return place < 0 ? [] : [[name.replace(BLOCK, `encoder.layers.${place}.`), mask]];
  });
  return { ...mode, masks: Object.fromEntries(masks) };
}
