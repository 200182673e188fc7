// SPDX-License-Identifier: Apache-2.0
import type { ModelLayout } from "./layout.ts";

/**
 * Order of clip, compression and noise (spec D8), Δ + e being what training gave and earlier updates left unsaid. P1: clip, compress on
 * coordinates that do not depend on the data, noise there (distributed), or none here (central). P2: clip, noise on every coordinate, and whatever compression
 * after it, which costs no privacy. "paper": clip, top-k, noise on every coordinate, as DSAIN prints it: private, and as long as an update without
 * compression.
 */
export type PrivacyPipeline = "P1" | "P2" | "paper";

/** What privacy does to an update on its way out (src/privacy/noiseStage.ts makes it, src/update/prepareUpdate.ts runs it). */
export interface NoiseStage {
  readonly pipeline: PrivacyPipeline;
  /** Whether what compression leaves out waits with the member; never the noise. */
  readonly errorFeedback: boolean;
  /** k of the top-k of pipeline "paper". */
  readonly keep?: number | undefined;
  /** Largest Σq² of a clipped update, units 2^-2F_max: ⌊C·2^F_max⌋². */
  readonly maxNormSq: bigint;
  /** Clips to C in place. @param values grid units of each tensor. @returns the (smallest) factor; 0 for values that are not finite. */
  clip(values: Float64Array, layout: ModelLayout): number;
  /** Adds integer noise in place, to the coordinates given or to all; absent where the server adds it. */
  readonly addNoise?: (values: Float64Array, layout: ModelLayout, coordinates?: Uint32Array) => void;
}
