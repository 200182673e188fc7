// SPDX-License-Identifier: Apache-2.0
import { roundCurve } from "../privacy/deployment.ts";
import type { NeighbourRelation } from "../privacy/neighbours.ts";
import { composeRdp, fixedSizeGaussian, poissonGaussian, type RdpCurve, repeatRdp } from "../privacy/rdp.ts";
import type { Mechanism } from "./privacyMechanism.ts";

/** What the updates of all rounds cost with noise multiplier z, the recipe's: σ = zC, in local mode 2zC. */
export function updatesCurve(mechanism: Mechanism, noiseMultiplier: number): RdpCurve<NeighbourRelation> {
  const { mode, sampling, rounds, steps } = mechanism;
  const once =
    mode === "record"
      ? poissonGaussian(sampling.rate, noiseMultiplier)
      : roundCurve({ mode, noiseMultiplier }, sampling);
  return repeatRdp<NeighbourRelation>(once, rounds * steps);
}

/** What reported losses cost: the closing round releases one more of them, and no update. */
export function lossesCurve({ relation, rounds }: Mechanism, z: number): RdpCurve<NeighbourRelation> {
  const once = relation === "add-remove" ? poissonGaussian(1, z) : fixedSizeGaussian(1, z);
  return repeatRdp<NeighbourRelation>(once, rounds + 1);
}

/** Updates and, where they are reported, losses of a run. */
export function wholeCurve(mechanism: Mechanism, z: number, lossNoise?: number): RdpCurve<NeighbourRelation> {
  const updates = updatesCurve(mechanism, z);
  return lossNoise === undefined ? updates : composeRdp(updates, lossesCurve(mechanism, lossNoise));
}
