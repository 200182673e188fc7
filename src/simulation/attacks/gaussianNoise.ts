// SPDX-License-Identifier: Apache-2.0
import type { CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";
import { addScaled, gaussian, norm } from "./vectors.ts";

/**
 * Gaussian noise (spec G2): Δ' = Δ + N(0, σ²I), or N(0, σ²I) alone. Its length is σ√d, so an absolute σ hurts a large model more than a
 * small one; `relative` measures it in ‖Δ‖/√d.
 */
export function gaussianNoise(
  { deviation, relative, replace }: ConfigOf<"gaussian-noise">,
  { own, random }: CraftInput,
): readonly Vector[] {
  return own.map((update, i) => {
    const size = update.length;
    const sigma = relative ? (deviation * norm(update)) / Math.sqrt(size) : deviation;
    const noise = gaussian(random.derive("noise", i), size, sigma);
    return replace ? noise : addScaled(noise, 1, update);
  });
}
