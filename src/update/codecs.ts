// SPDX-License-Identifier: Apache-2.0
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import { type BlockForm, blockForm } from "./blocks.ts";

/** Number of each codec in an artifact's header; 0 is the closing artifact, which has no payload. */
export const CODEC_IDS = {
  int16: 1,
  int8: 2,
  "topk-int16": 3,
  "topk-int8": 4,
  "randk-int16": 5,
  "randk-int8": 6,
  qsgd: 7,
  fp16: 8,
  "low-rank": 9,
} as const satisfies Record<CodecConfig["name"], number>;

/** How the values of a payload are written. */
export type ValueForm = BlockForm | { readonly kind: "half" };

/** Values as products of factors (src/update/lowRank.ts). */
export interface LowRankForm {
  readonly kind: "lowRank";
  readonly rank: number;
}

/** Which coordinates have a value: all, those that the payload lists, or those of the round's mask. */
export type Support =
  | { readonly kind: "all" }
  | { readonly kind: "listed"; readonly keep: number }
  | { readonly kind: "mask"; readonly keep: number; readonly seed?: string };

/** What a reader has to know of a codec: everything but how values came to be. */
export interface CodecForm {
  readonly support: Support;
  readonly values: ValueForm | LowRankForm;
}

export function formOf(codec: CodecConfig): CodecForm {
  switch (codec.name) {
    case "int16":
      return { support: { kind: "all" }, values: blockForm(2, codec.blockSize) };
    case "int8":
      return { support: { kind: "all" }, values: blockForm(1, codec.blockSize) };
    case "topk-int16":
      return { support: { kind: "listed", keep: codec.keep }, values: blockForm(2, codec.blockSize) };
    case "topk-int8":
      return { support: { kind: "listed", keep: codec.keep }, values: blockForm(1, codec.blockSize) };
    case "randk-int16":
      return { support: maskOf(codec), values: blockForm(2, codec.blockSize) };
    case "randk-int8":
      return { support: maskOf(codec), values: blockForm(1, codec.blockSize) };
    case "qsgd":
      return { support: { kind: "all" }, values: blockForm(1, codec.blockSize, codec.levels) };
    case "fp16":
      return { support: { kind: "all" }, values: { kind: "half" } };
    case "low-rank":
      return { support: { kind: "all" }, values: { kind: "lowRank", rank: codec.rank } };
  }
}

/** How many values a payload holds for a model of `size` coordinates. */
export function countOf({ support }: CodecForm, size: number): number {
  return support.kind === "all" ? size : support.keep;
}

/**
 * Whether what a codec leaves out waits with the member. Not where the codec is unbiased: there is nothing to make up for, and its error need not
 * be smaller than the update, so that a residual could grow without end.
 */
export function keepsResidual(codec: CodecConfig): boolean {
  if (codec.name === "qsgd") return codec.scaled;
  return !("unbiased" in codec && codec.unbiased);
}

/** Whether encoding draws random numbers. */
export function isStochastic(codec: CodecConfig): boolean {
  return codec.name === "qsgd" || ("rounding" in codec && codec.rounding === "stochastic") || !keepsResidual(codec);
}

function maskOf(codec: { readonly keep: number; readonly seed?: string | undefined }): Support {
  return { kind: "mask", keep: codec.keep, ...(codec.seed === undefined ? {} : { seed: codec.seed }) };
}
