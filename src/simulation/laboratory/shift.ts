// SPDX-License-Identifier: Apache-2.0
import { partition } from "../../data/dataConfig.ts";
import { splitLocally } from "../../data/deal.ts";
import type { LoadedData } from "../../data/loadedData.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { ConfigError } from "../../protocol/errors.ts";
import type { Random } from "../../protocol/random.ts";
import { attackLearner } from "../attacks/attackLearner.ts";
import type { Figures } from "../studies/study.ts";
import type { Attackers } from "./attackers.ts";
import type { FederationConfig } from "./cellConfig.ts";
import type { Federation } from "./federation.ts";
import { joined } from "./joined.ts";
import { takeServerData } from "./serverData.ts";

/** A member's samples: to train on, and its own to be measured on. */
export interface Hand {
  readonly shard: Dataset;
  readonly test: Dataset | undefined;
}

/** What a cell's data become in the middle of its run. */
export interface Shift {
  readonly test: Dataset;
  /** By id − 1. */
  readonly hands: readonly Hand[];
}

/** Every member's samples, by id − 1, spoilt where an attacker spoils its own. The same stream deals the same, also of other data. */
export function dealMembers(
  config: FederationConfig,
  data: LoadedData,
  random: Random,
  attackers: Attackers | undefined,
): readonly Hand[] {
  const shards = partition(data, config.members, config.partition, random.derive("partition"));
  return shards.map((whole, i) => {
    const id = i + 1;
    const { train, test } =
      config.localTest > 0
        ? splitLocally(whole, config.localTest, random.derive("local test", id))
        : { train: whole, test: undefined };
    return { shard: attackers?.poison(id, train) ?? train, test };
  });
}

/**
 * The same members' samples after the change of distribution that the data bring with them (spec H0, S-IOT); the server keeps what it had.
 *
 * @param whole before the server took its samples.
 * @returns undefined where the cell has no shift.
 * @throws ConfigError for data that do not change.
 */
export function shiftOf(
  config: FederationConfig,
  { shifted, ...whole }: LoadedData,
  random: Random,
  attackers: Attackers | undefined,
): Shift | undefined {
  if (config.shift === undefined) return undefined;
  if (shifted === undefined)
    throw new ConfigError(`${whole.name} is not made with a change of distribution; leave shift out.`, {
      data: whole.name,
    });
  const { rest } = takeServerData({ ...whole, ...shifted }, config.serverData, random.derive("server data"));
  return { test: shifted.test, hands: dealMembers(config, rest, random, attackers) };
}

/** The last round on the data as they were; undefined without a shift. */
export function lastRoundBefore({ shift, rounds }: Pick<FederationConfig, "shift" | "rounds">): number | undefined {
  return shift === undefined ? undefined : Math.floor(shift.after * rounds);
}

/**
 * Where this was the last round before the shift: members and tests change, and the model is measured on both sides of it.
 *
 * @param federations that have the data; all of them change.
 * @returns what `measure` gives before, its names followed by `Before`, and of the same model on the new data, by `Shifted`; empty in other rounds.
 */
export async function shiftAfter(
  round: number,
  federations: readonly Federation[],
  measure: () => Promise<Figures>,
): Promise<Figures> {
  const [{ config }] = federations as readonly [Federation, ...Federation[]];
  if (round !== lastRoundBefore(config)) return {};
  const named = (figures: Figures, when: string): Figures =>
    Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${name}${when}`, value]));
  const before = named(await measure(), "Before");
  for (const federation of federations) apply(federation);
  return { ...before, ...named(await measure(), "Shifted") };
}

function apply(federation: Federation): void {
  const { shift, attackers, model } = federation;
  if (shift === undefined) return;
  federation.test = shift.test;
  for (const member of federation.members) {
    const { shard, test } = shift.hands[member.id - 1] as Hand;
    member.shard = shard;
    member.test = test;
  }
  // All attackers' samples, also of those in other groups of an ensemble, as before.
  if (federation.attackLearner !== undefined && attackers !== undefined) {
    const shards = shift.hands.filter((_, i) => attackers.ids.has(i + 1)).map(({ shard }) => shard);
    federation.attackLearner = attackLearner(model, joined(shards));
  }
}
