// SPDX-License-Identifier: Apache-2.0
import type { ModelConfig } from "../protocol/recipe/modelConfig.ts";
import { LearningError } from "./errors.ts";
import { dropoutLayers, featureWidth, vocabularyOf } from "./layout.ts";
import type { Batch, GradientRequest, Mode, Model } from "./model.ts";

/** Checks shared by every engine, so that a wrong call is refused with the same words whatever runs underneath. */

export function checkLength(what: string, array: { readonly length: number }, expected: number): void {
  if (array.length !== expected) {
    throw new LearningError("WRONG_SHAPE", `${what} has ${array.length} values; the model expects ${expected}.`, {
      what,
      length: array.length,
      expected,
    });
  }
}

/**
 * What every pass through a model starts from.
 *
 * @throws LearningError WRONG_SHAPE or UNSUPPORTED.
 */
export function checkPass(
  { config, parameterCount }: Pick<Model, "config" | "parameterCount">,
  parameters: Float32Array,
  batch: Batch,
  mode: Mode,
): void {
  checkLength("The parameter vector", parameters, parameterCount);
  checkBatch(config, batch);
  checkMode(config, mode, batch.size);
}

function checkBatch(config: ModelConfig, batch: Batch): void {
  if (!Number.isSafeInteger(batch.size) || batch.size < 1) {
    throw new LearningError("WRONG_SHAPE", `A batch has at least one sample; this one has ${batch.size}.`, {
      size: batch.size,
    });
  }
  checkLength("The batch's features", batch.features, batch.size * config.inputs);
  checkTokens(config, batch.features);
  if (batch.labels !== undefined) checkLength("The batch's labels", batch.labels, batch.size);
}

/**
 * Token ids are numbers of the vocabulary.
 *
 * @throws LearningError WRONG_SHAPE.
 */
function checkTokens(config: ModelConfig, features: Float32Array): void {
  const vocabulary = vocabularyOf(config);
  if (vocabulary === undefined) return;
  const wrong = features.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
  if (wrong === -1) return;
  const [sample, position] = [Math.floor(wrong / config.inputs), wrong % config.inputs];
  throw new LearningError(
    "WRONG_SHAPE",
    `Token ${position} of sample ${sample} is ${features[wrong]}; the model has token ids 0 (padding) to ${vocabulary - 1}.`,
    { sample, position, token: features[wrong], vocabulary },
  );
}

/**
 * @throws LearningError WRONG_SHAPE for cotangents that do not fit the batch; UNSUPPORTED: a gradient with respect to token ids, which are names
 * and not quantities.
 */
export function checkRequest(config: ModelConfig, request: GradientRequest, { size }: Batch): void {
  const { logits, features } = request.cotangents ?? {};
  if (logits !== undefined) checkLength("cotangents.logits", logits, size * config.classes);
  if (features !== undefined) checkLength("cotangents.features", features, size * featureWidth(config));
  if (request.wantInputs !== true || vocabularyOf(config) === undefined) return;
  throw new LearningError(
    "UNSUPPORTED",
    `The inputs of a ${config.kind} model are token ids, which have no gradient. Ask for the gradient of embedding.weight instead.`,
    { kind: config.kind },
  );
}

/**
 * Dropout masks are given for every layer that drops units, or for none of them in evaluation: silently ignoring one would train something else
 * than was asked. `drawMasks` draws them.
 *
 * @throws LearningError UNSUPPORTED, or WRONG_SHAPE for a mask of another length.
 */
function checkMode(config: ModelConfig, mode: Mode, size: number): void {
  const layers = dropoutLayers(config);
  if (layers.length === 0 && mode.masks === undefined) return;
  const masks = mode.masks ?? {};
  const known = new Set(layers.map(({ name }) => name));
  const unknown = Object.keys(masks).filter((name) => !known.has(name));
  if (unknown.length > 0) {
    const takes = known.size === 0 ? "no layer that takes a mask" : `masks for ${[...known].join(", ")} only`;
    throw new LearningError(
      "UNSUPPORTED",
      `A ${config.kind} model with this configuration has ${takes}, but mode carries masks for ${unknown.join(", ")}. Leave them out.`,
      { kind: config.kind, masks: unknown },
    );
  }
  const missing = layers.filter(({ name }) => masks[name] === undefined).map(({ name }) => name);
  if (mode.phase === "eval" && missing.length < layers.length) {
    throw new LearningError(
      "UNSUPPORTED",
      "No units are dropped in evaluation. Leave the masks out, or set phase to train.",
      {
        masks: Object.keys(masks),
      },
    );
  }
  if (mode.phase === "train" && missing.length > 0) {
    throw new LearningError(
      "UNSUPPORTED",
      `Training a ${config.kind} model with dropout needs masks for ${missing.join(", ")}: draw them with drawMasks, from a keyed stream.`,
      { kind: config.kind, missing },
    );
  }
  for (const { name, width } of mode.phase === "train" ? layers : [])
    checkLength(`The mask of ${name}`, masks[name] as Float32Array, size * width);
}

/**
 * The target rows of a gradient: the soft targets, or labels one-hot, or zeros where the batch has neither.
 *
 * @returns size × classes.
 * @throws LearningError WRONG_SHAPE for a label outside 0 … classes−1.
 */
export function targetRows(config: ModelConfig, batch: Batch, request: GradientRequest): Float32Array {
  const { classes } = config;
  if (request.softTargets !== undefined) {
    checkLength("softTargets", request.softTargets, batch.size * classes);
    return request.softTargets;
  }
  const rows = new Float32Array(batch.size * classes);
  for (let b = 0; b < (batch.labels?.length ?? 0); b++) {
    const label = batch.labels?.[b] as number;
    if (!(label >= 0 && label < classes)) {
      throw new LearningError(
        "WRONG_SHAPE",
        `Sample ${b} has label ${label}; the model has classes 0 to ${classes - 1}.`,
        { sample: b, label, classes },
      );
    }
    rows[b * classes + label] = 1;
  }
  return rows;
}
