// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { Model } from "../model.ts";

/** Where the last linear layer lies in the parameters. */
export interface HeadPlace {
  /** Offset of the weight, classes × width. */
  readonly weight: number;
  readonly bias: number;
  readonly classes: number;
  readonly width: number;
}

/** @throws ConfigError when the model does not mark one weight matrix and its bias as its head. */
export function headOf({ layout, config }: Model): HeadPlace {
  const tensors = layout.filter(({ head }) => head);
  const weight = tensors.find(({ shape }) => shape.length === 2);
  const bias = tensors.find(({ shape }) => shape.length === 1);
  if (tensors.length !== 2 || weight === undefined || bias === undefined)
    throw new ConfigError(
      `The ${config.kind} model has no last linear layer with a bias, which this algorithm rotates.`,
    );
  return { weight: weight.offset, bias: bias.offset, classes: bias.size, width: weight.size / bias.size };
}
