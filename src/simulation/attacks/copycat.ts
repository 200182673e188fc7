// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";
import { addScaled, gaussian, norm } from "./vectors.ts";

/**
 * Copying (spec G11): each attacker sends an honest member's update of the same round as its own: as it is, with noise of a given relative
 * length, or as π(w^t + Δ) − w^t with the hidden units of the resulting model in another order, the same function in other coordinates.
 *
 * On a real ledger nobody can: bytes are served after the commit phase. The simulation shows what that protects from.
 *
 * @throws ConfigError when a permutation is asked for and the model has no symmetry.
 */
export function copycat(
  { disguise, noise }: ConfigOf<"copycat">,
  { own, benign, received, random, symmetry }: CraftInput,
): readonly Vector[] {
  return own.map((_, i) => {
    const stream = random.derive("copy", i);
    const victim = benign[stream.integerBelow(benign.length)] as Vector;
    if (disguise === "none") return victim;
    if (disguise === "noise") {
      const jitter = gaussian(stream, victim.length, 1);
      return addScaled(victim, (noise * norm(victim)) / norm(jitter), jitter);
    }
    if (symmetry === undefined)
      throw new ConfigError("A copy can be permuted only where the model has hidden units to permute.", { disguise });
    return addScaled(symmetry(Float32Array.from(addScaled(victim, 1, received)), stream), -1, received);
  });
}
