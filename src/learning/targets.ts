// SPDX-License-Identifier: Apache-2.0
import type { ModelConfig } from "../protocol/recipe/modelConfig.ts";
import { LearningError } from "./errors.ts";
import type { Batch, GradientRequest, Mode } from "./model.ts";

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

export function checkBatch(config: ModelConfig, batch: Batch): void {
  if (!Number.isSafeInteger(batch.size) || batch.size < 1) {
    throw new LearningError("WRONG_SHAPE", `A batch has at least one sample; this one has ${batch.size}.`, {
      size: batch.size,
    });
  }
  checkLength("The batch's features", batch.features, batch.size * config.inputs);
  if (batch.labels !== undefined) checkLength("The batch's labels", batch.labels, batch.size);
}

/** The models here have no dropout or block masks; silently ignoring one would train something else than was asked. */
export function checkMode(config: ModelConfig, mode: Mode): void {
  const names = Object.keys(mode.masks ?? {});
  if (names.length > 0) {
    throw new LearningError(
      "UNSUPPORTED",
      `A ${config.kind} model has no layer that takes a mask, but mode carries masks for ${names.join(", ")}. Leave them out.`,
      {
        kind: config.kind,
        masks: names,
      },
    );
  }
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
  batch.labels?.forEach((label, b) => {
    if (!(label >= 0 && label < classes)) {
      throw new LearningError(
        "WRONG_SHAPE",
        `Sample ${b} has label ${label}; the model has classes 0 to ${classes - 1}.`,
        { sample: b, label, classes },
      );
    }
    rows[b * classes + label] = 1;
  });
  return rows;
}
