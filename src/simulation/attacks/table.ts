// SPDX-License-Identifier: Apache-2.0
import type { Attack } from "./attack.ts";
import type { AttackConfig, AttackName, ConfigOf } from "./attackConfig.ts";
import { copycat } from "./copycat.ts";
import { fangKrum } from "./fangKrum.ts";
import { fangTrim } from "./fangTrim.ts";
import { freeRider } from "./freeRider.ts";
import { gaussianNoise } from "./gaussianNoise.ts";
import { jaa } from "./jaa.ts";
import { labelFlip } from "./labelFlip.ts";
import { littleIsEnough } from "./littleIsEnough.ts";
import { minMax, minSum } from "./minMax.ts";
import { negation } from "./negation.ts";
import { nonFinite } from "./nonFinite.ts";
import { replay } from "./replay.ts";
import { reportInflation } from "./reportInflation.ts";
import { scaling } from "./scaling.ts";
import { sybil } from "./sybil.ts";
import { weightCorruption } from "./weightCorruption.ts";

/** All attacks. One row each; a new attack is a file, a row here and an entry of `attackSchema`. */
const ATTACKS: { readonly [N in AttackName]: Attack<ConfigOf<N>> } = {
  "label-flip": { partial: "updates", poison: labelFlip },
  "gaussian-noise": { partial: "updates", craft: gaussianNoise },
  negation: { partial: "updates", craft: negation },
  "weight-corruption": { partial: "updates", craft: weightCorruption },
  lie: { partial: "updates", craft: littleIsEnough },
  "fang-krum": { partial: "rule", craft: fangKrum },
  "fang-trim": { partial: "rule", craft: fangTrim },
  "min-max": { partial: "updates", craft: minMax },
  "min-sum": { partial: "updates", craft: minSum },
  jaa: { partial: "updates", craft: jaa },
  "free-rider": { partial: "updates", craft: freeRider },
  replay: { partial: "updates", craft: replay },
  copycat: { partial: "updates", craft: copycat },
  sybil: { partial: "updates", craft: sybil },
  scaling: { partial: "updates", craft: scaling },
  "non-finite": { partial: "updates", payload: nonFinite },
  "report-inflation": { partial: "updates", report: reportInflation },
};

/** The attack of a configuration, to be called with that configuration. */
export function attackOf<C extends AttackConfig>(config: C): Attack<C> {
  return ATTACKS[config.name] as unknown as Attack<C>;
}
