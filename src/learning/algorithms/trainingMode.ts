// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../../protocol/random.ts";
import { trainingMode } from "../dropout.ts";
import { dropoutLayers } from "../layout.ts";
import { type Mode, type Model, TRAINING } from "../model.ts";

/** The mode of step k on a batch of that size. */
export type ModeOfStep = (step: number, batchSize: number) => Mode;

/** How a model trains: where it drops units, with masks that the step keys, so that several passes of one step share them. */
export function trainingModes({ config }: Model, random: Random): ModeOfStep {
  if (dropoutLayers(config).length === 0) return () => TRAINING;
  return (step, batchSize) => trainingMode(config, batchSize, random.derive("masks", step));
}

/** The mode of samples from … to−1 of a batch of that size: their rows of every mask. */
export function modeOfSamples(mode: Mode, from: number, to: number, batchSize: number): Mode {
  if (mode.masks === undefined) return mode;
  const masks = Object.entries(mode.masks).map(([name, mask]): [string, Float32Array] => {
    const width = mask.length / batchSize;
    return [name, mask.subarray(from * width, to * width)];
  });
  return { ...mode, masks: Object.fromEntries(masks) };
}
