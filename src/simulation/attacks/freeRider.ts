// SPDX-License-Identifier: Apache-2.0
import type { CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";
import { addScaled, gaussian, norm } from "./vectors.ts";

/**
 * Free riding (spec G10): an update without training. Nothing, or the global model's own last movement w^t − w^{t−1}, slightly noised, which
 * looks like an honest update of the round before (the delta-weights attack); nothing while there is no movement yet.
 *
 * Paper: Lin, Du & Liu 2019, "Free-riders in federated learning: attacks and defenses".
 */
export function freeRider(
  { sends, noise }: ConfigOf<"free-rider">,
  { own, received, previous, random }: CraftInput,
): readonly Vector[] {
  const size = received.length;
  if (sends === "zero" || previous === undefined) return own.map(() => new Float64Array(size));
  const movement = addScaled(received, -1, previous);
  const deviation = (noise * norm(movement)) / Math.sqrt(size);
  return own.map((_, i) => addScaled(gaussian(random.derive("free rider", i), size, deviation), 1, movement));
}
