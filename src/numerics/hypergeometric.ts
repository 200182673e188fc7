// SPDX-License-Identifier: Apache-2.0
import { exp } from "../protocol/math.ts";
import { logBinomial } from "./logGamma.ts";

/** Drawing `draws` without replacement from `population` members of which `marked` are marked. */
export interface Hypergeometric {
  readonly population: number;
  readonly marked: number;
  readonly draws: number;
}

/**
 * P(k marked among the draws).
 *
 * @throws RangeError unless all are integers ≥ 0 and neither `marked` nor `draws` exceeds `population`.
 */
export function hypergeometricPmf(k: number, { population, marked, draws }: Hypergeometric): number {
  const whole = [k, population, marked, draws].every((value) => Number.isSafeInteger(value) && value >= 0);
  if (!whole || marked > population || draws > population)
    throw new RangeError(`No such draw: ${k} marked among ${draws} of ${population}, ${marked} of them marked.`);
  return exp(logBinomial(marked, k) + logBinomial(population - marked, draws - k) - logBinomial(population, draws));
}

/** P(at least k marked among the draws), summed from the smallest term. */
export function hypergeometricAtLeast(k: number, draw: Hypergeometric): number {
  let sum = 0;
  for (let j = Math.min(draw.marked, draw.draws); j >= Math.max(k, 0); j--) sum += hypergeometricPmf(j, draw);
  return Math.min(sum, 1);
}
