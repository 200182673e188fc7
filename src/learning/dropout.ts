// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../protocol/random.ts";
import type { ModelConfig } from "../protocol/recipe/modelConfig.ts";
import { dropoutLayers } from "./layout.ts";
import type { Mode } from "./model.ts";

/**
 * Keyed masks for one batch: 0 with the layer's rate, otherwise 1/(1 − rate), so that a unit's expectation stays (Srivastava et al. 2014). Equal
 * streams give equal masks; passes that must share them are handed the same ones.
 *
 * @returns size × width per layer, by name; empty without dropout.
 */
export function drawMasks(config: ModelConfig, batchSize: number, random: Random): Record<string, Float32Array> {
  const masks: Record<string, Float32Array> = {};
  for (const { name, width, rate } of dropoutLayers(config)) {
    const stream = random.derive("dropout", name);
    const threshold = rate * 0x1_0000_0000;
    const kept = 1 / (1 - rate);
    masks[name] = Float32Array.from({ length: batchSize * width }, () => (stream.nextUint32() < threshold ? 0 : kept));
  }
  return masks;
}

/** The mode of one training step: with fresh masks where the model drops units. */
export function trainingMode(config: ModelConfig, batchSize: number, random: Random): Mode {
  return { phase: "train", masks: drawMasks(config, batchSize, random) };
}
