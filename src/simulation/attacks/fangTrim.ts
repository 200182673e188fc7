// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../../protocol/random.ts";
import type { CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";
import { moments } from "./vectors.ts";

/**
 * Fang's attack on the trimmed mean and the median (spec G7): in each coordinate every attacker draws a value beyond the honest ones, on the side
 * that the model is moving away from: below their minimum m where μ > 0 ([m/b, m], or [b·m, m] for m ≤ 0), above their maximum M where μ < 0
 * ([M, b·M], or [M, M/b] for M ≤ 0). Without the honest updates: 3 to 4 deviations off the mean of the attackers' own.
 *
 * Paper: Fang, Cao, Jia & Gong 2020, "Local model poisoning attacks to Byzantine-robust federated learning".
 */
export function fangTrim({ factor, beyond }: ConfigOf<"fang-trim">, input: CraftInput): readonly Vector[] {
  const { benign, own, knowsUpdates, random } = input;
  const byExtremes = (beyond ?? (knowsUpdates ? "extremes" : "moments")) === "extremes";
  const intervals = byExtremes
    ? beyondExtremes(benign, factor, random.derive("sides"))
    : beyondMoments(benign, random.derive("sides"));
  return own.map((_, i) => {
    const stream = random.derive("draws", i);
    return Float64Array.from({ length: intervals.length / 2 }, (_, j) => {
      const from = intervals[2 * j] as number;
      return from + stream.uniform() * ((intervals[2 * j + 1] as number) - from);
    });
  });
}

/** Ends of each coordinate's interval, one after the other. */
function beyondExtremes(benign: readonly Vector[], factor: number, random: Random): Float64Array {
  const { mean } = moments(benign);
  const intervals = new Float64Array(2 * mean.length);
  for (const [j, centre] of mean.entries()) {
    let [low, high] = [Infinity, -Infinity];
    for (const update of benign) {
      low = Math.min(low, update[j] as number);
      high = Math.max(high, update[j] as number);
    }
    if (pushesDown(centre, random)) intervals.set(low > 0 ? [low / factor, low] : [factor * low, low], 2 * j);
    else intervals.set(high > 0 ? [high, factor * high] : [high, high / factor], 2 * j);
  }
  return intervals;
}

function beyondMoments(benign: readonly Vector[], random: Random): Float64Array {
  const { mean, deviation } = moments(benign);
  const intervals = new Float64Array(2 * mean.length);
  for (const [j, centre] of mean.entries()) {
    const sigma = deviation[j] as number;
    if (pushesDown(centre, random)) intervals.set([centre - 4 * sigma, centre - 3 * sigma], 2 * j);
    else intervals.set([centre + 3 * sigma, centre + 4 * sigma], 2 * j);
  }
  return intervals;
}

/** Where the mean does not move, either side will do. */
function pushesDown(centre: number, random: Random): boolean {
  return centre === 0 ? random.uniform() < 0.5 : centre > 0;
}
