// SPDX-License-Identifier: Apache-2.0

import { keyedRandom } from "../../../src/protocol/random.ts";
import type { CraftInput, Vector } from "../../../src/simulation/attacks/attack.ts";
import {
  type AttackConfig,
  type AttackName,
  attackSchema,
  type ConfigOf,
} from "../../../src/simulation/attacks/attackConfig.ts";

/** A configuration with its defaults filled in. */
export function configOf<N extends AttackName>(name: N, parameters: object = {}): ConfigOf<N> {
  const config: AttackConfig = attackSchema.parse({ name, count: 1, ...parameters });
  return config as ConfigOf<N>;
}

export const line = (...values: number[]): Float64Array[] => values.map((value) => Float64Array.of(value));

/** K normal vectors of d coordinates. */
export function cloud(label: string | number, count: number, size: number, centre = 0, spread = 1): Float64Array[] {
  const random = keyedRandom("attacks", label);
  return Array.from({ length: count }, () =>
    Float64Array.from({ length: size }, () => centre + spread * random.normal()),
  );
}

/** A round in which `own` attack and everything of `benign` is known; K = benign + own. */
export function inputOf(benign: readonly Vector[], own: readonly Vector[], rest: Partial<CraftInput> = {}): CraftInput {
  return {
    round: 3,
    benign,
    knowsUpdates: true,
    own,
    last: own.map(() => undefined),
    members: benign.length + own.length,
    received: new Float64Array((own[0] as Vector).length),
    previous: undefined,
    rule: undefined,
    random: keyedRandom("attacks", "input"),
    learner: undefined,
    symmetry: undefined,
    ...rest,
  };
}
