// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../protocol/dataset.ts";
import { ConfigError } from "../../protocol/errors.ts";
import type { Random } from "../../protocol/random.ts";
import type { ConfigOf } from "./attackConfig.ts";

/**
 * Label flipping (spec G1): an attacker trains honestly on a shard of which ⌊share·n⌋ labels are wrong. The features stay.
 *
 * @throws ConfigError when a label that is aimed at does not exist.
 */
export function labelFlip({ flip, share }: ConfigOf<"label-flip">, shard: Dataset, random: Random): Dataset {
  const { classes } = shard;
  if (typeof flip === "object" && Math.max(flip.from, flip.to) >= classes)
    throw new ConfigError(`Labels ${flip.from} and ${flip.to} are not both among the ${classes} classes.`, {
      flip,
      classes,
    });
  const labels = shard.labels.slice();
  const candidates = Array.from(labels.keys()).filter((i) => typeof flip !== "object" || labels[i] === flip.from);
  const chosen = random
    .derive("label flip")
    .shuffled(candidates)
    .slice(0, Math.floor(share * candidates.length));
  const wrong = random.derive("wrong labels");
  for (const i of chosen) {
    const label = labels[i] as number;
    if (flip === "mirror") labels[i] = classes - 1 - label;
    else if (flip === "next") labels[i] = (label + 1) % classes;
    else if (flip === "random") labels[i] = (label + 1 + wrong.integerBelow(classes - 1)) % classes;
    else labels[i] = flip.to;
  }
  return { ...shard, labels };
}
