// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import type { PrivacyConfig } from "../protocol/recipe/privacyConfig.ts";
import {
  type CohortSampling,
  type DeploymentSurroundings,
  effectiveSampling,
  noiseToSignal,
  requireSound,
} from "./deployment.ts";

/** What a recipe's privacy has to go together with. */
export interface PrivateRecipe extends DeploymentSurroundings {
  readonly privacy: PrivacyConfig;
  readonly codec: CodecConfig;
  /** d. */
  readonly size: number;
  /** K. */
  readonly cohort: number;
  readonly sampling: CohortSampling;
}

/**
 * Refuses recipes whose privacy would not be what it says (spec D6, D8, §O), and says of the others what a reader should know.
 *
 * @returns remarks, each a sentence: what the sampling counts for, what a pipeline does not save, noise that drowns every signal.
 * @throws ConfigError with the reason and what to write instead.
 */
export function requirePrivateRecipe(recipe: PrivateRecipe): readonly string[] {
  const { privacy, codec, size, cohort, sampling } = recipe;
  if (privacy.mode === "none") return [];
  const published = "Sample counts n_i stand in commits; no noise protects them.";
  if (privacy.mode === "record") return [published];
  requireSound(privacy.mode, recipe);
  if (codec.name === "low-rank" && privacy.mode !== "central")
    throw new ConfigError(
      `${codec.name} sends products of few factors, and a member's noise has full rank: most of it would be lost. Use rand-k or a dense codec.`,
      { codec: codec.name, mode: privacy.mode },
    );
  const remarks = [published];
  if (privacy.mode === "local") {
    remarks.push("A local release is of one member's vector: q = 1, whatever the sampling.");
    if (privacy.pipeline.name === "paper") {
      requireDense(codec);
      if (privacy.pipeline.keep > size)
        throw new ConfigError(
          `The paper's pipeline keeps ${privacy.pipeline.keep} coordinates of a model that has ${size}.`,
        );
      remarks.push("The paper's pipeline sends every coordinate, noise and all: top-k saves no bytes in it.");
    }
  } else {
    if (codec.name.startsWith("topk")) {
      throw new ConfigError(
        `${codec.name} chooses coordinates by the data, which ${privacy.mode} noise does not cover; use rand-k or a dense codec.`,
        { codec: codec.name, mode: privacy.mode },
      );
    }
    remarks.push(`Of sampling: ${effectiveSampling(sampling).reason}.`);
  }
  const ratio = noiseToSignal(
    {
      mode: privacy.mode,
      clipNorm: privacy.clipNorm,
      noiseMultiplier: privacy.noiseMultiplier,
      cohort,
      ...(privacy.mode === "distributed" ? { colluders: privacy.colluders } : {}),
    },
    privacy.mode !== "local" && "keep" in codec ? codec.keep : size,
  );
  if (ratio > 1) {
    remarks.push(
      `Noise on the mean of ${cohort} is ${ratio.toPrecision(3)} times as long as the longest update there can be; take a larger cohort, a smaller model (adapters) or privacy of records.`,
    );
  }
  return remarks;
}

function requireDense(codec: CodecConfig): void {
  if (!("keep" in codec)) return;
  throw new ConfigError(
    `The paper's pipeline makes every coordinate noisy, and ${codec.name} sends ${codec.keep} of them; use a dense codec.`,
    {
      codec: codec.name,
    },
  );
}
