// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import { powerOfTwo } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import type { NoiseStage, PrivacyPipeline } from "../protocol/noiseStage.ts";
import type { PrivacyConfig } from "../protocol/recipe/privacyConfig.ts";
import { clipPerTensor, clipToNorm, multiplierBesideCount } from "./clipNorm.ts";
import { noiseOf } from "./deployment.ts";
import { discreteGaussian } from "./discreteGaussian.ts";
import { type SecretWords, secretStream } from "./secretStream.ts";

/** Deployments in which updates themselves are clipped. */
export type ClientLevelPrivacy = Exclude<PrivacyConfig, { mode: "none" | "record" }>;

/**
 * σ of the server's noise on the sum of a central deployment, model units: zC, or more where the count that steers C takes its part of the same
 * budget. `roundCharge` books both together as z.
 */
export function centralSigma(config: Extract<PrivacyConfig, { mode: "central" }>, clipNorm = config.clipNorm): number {
  const { noiseMultiplier, adaptive } = config;
  const multiplier =
    adaptive === undefined ? noiseMultiplier : multiplierBesideCount(noiseMultiplier, adaptive.countNoise);
  return multiplier * clipNorm;
}

/** What a member's stage depends on beside its recipe. */
export interface NoiseStageInput {
  readonly run: bigint;
  readonly round: number;
  readonly layout: ModelLayout;
  /** K, clients of the round; the noise of distributed deployments depends on it. */
  readonly cohort: number;
  /** The member's 32 secret bytes. */
  readonly secret: Uint8Array;
  /** Takes the place of the recipe's C where that is adapted. */
  readonly clipNorm?: number;
}

/**
 * What a member does to its update in a private run: clip to C, and noise on the integer grid from its secret stream; where the server adds the
 * noise, the clip only.
 *
 * @throws ConfigError when C or the noise cannot be told on the grid.
 */
export function noiseStage(config: ClientLevelPrivacy, input: NoiseStageInput): NoiseStage {
  const { run, round, layout, cohort, secret, clipNorm = config.clipNorm } = input;
  const { client } = noiseOf({
    mode: config.mode,
    clipNorm,
    noiseMultiplier: config.noiseMultiplier,
    cohort,
    ...(config.mode === "distributed" ? { colluders: config.colluders } : {}),
  });
  const clip = config.perTensor === true ? clipPerTensor : clipToNorm;
  const pipeline: PrivacyPipeline = config.mode === "local" ? config.pipeline.name : "P1";
  const { errorFeedback } = config.mode === "local" ? config.pipeline : config;
  return {
    pipeline,
    errorFeedback,
    keep: config.mode === "local" && config.pipeline.name === "paper" ? config.pipeline.keep : undefined,
    maxNormSq: normSqOnGrid(clipNorm, layout),
    clip: (values, ofLayout) => clip(values, ofLayout, clipNorm),
    ...(client === 0
      ? {}
      : {
          addNoise: (values: Float64Array, ofLayout: ModelLayout, coordinates?: Uint32Array): void =>
            addNoise(values, ofLayout, client, secretStream(secret, { run, round, purpose: "update" }), coordinates),
        }),
  };
}

/**
 * Noise of the server in a central deployment: zC on the sum, on the coordinates that the round's updates have. Secret like a member's.
 *
 * @param sum Σ of the decoded updates, grid units; integers, in place.
 * @param coordinates those of the round's mask, ascending; left out: all.
 */
export function addCentralNoise(
  sum: Float64Array,
  layout: ModelLayout,
  { sigma, words, coordinates }: { sigma: number; words: SecretWords; coordinates?: Uint32Array },
): void {
  addNoise(sum, layout, sigma, words, coordinates);
}

/** @param sigma model units. */
function addNoise(
  values: Float64Array,
  layout: ModelLayout,
  sigma: number,
  words: SecretWords,
  coordinates: Uint32Array | undefined,
): void {
  let next = 0;
  for (const { offset, size, fractionBits } of layout.tensors) {
    const draw = discreteGaussian(sigma * powerOfTwo(fractionBits), words);
    const end = offset + size;
    if (coordinates === undefined) {
      for (let j = offset; j < end; j++) values[j] = (values[j] as number) + draw();
    } else {
      for (; next < coordinates.length && (coordinates[next] as number) < end; next++) {
        const j = coordinates[next] as number;
        values[j] = (values[j] as number) + draw();
      }
    }
  }
}

/** ⌊C·2^F_max⌋² */
function normSqOnGrid(clipNorm: number, layout: ModelLayout): bigint {
  const units = Math.floor(clipNorm * powerOfTwo(layout.maxFractionBits));
  if (units < 1) {
    throw new ConfigError(
      `A clip norm of ${clipNorm} is less than one unit of the update grid, 2^-${layout.maxFractionBits}; raise it or the fraction bits.`,
      { clipNorm },
    );
  }
  return BigInt(units) ** 2n;
}
