// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { Random } from "../../protocol/random.ts";
import type { AttackConfig } from "./attackConfig.ts";

/** How many of so many members attack. */
export function attackerCount({ count, fraction = 0 }: AttackConfig, members: number): number {
  return count ?? Math.floor(fraction * members);
}

/**
 * The members that attack in a run, drawn once.
 *
 * @param members ids of all members. @returns ascending ids.
 * @throws ConfigError when nobody would attack or nobody would be left.
 */
export function chooseAttackers(attack: AttackConfig, members: readonly number[], random: Random): number[] {
  const number = attackerCount(attack, members.length);
  if (number < 1 || number >= members.length)
    throw new ConfigError(
      `${number} attackers among ${members.length} members: one at least must attack, and one be honest.`,
      {
        attackers: number,
        members: members.length,
      },
    );
  return random
    .derive("attackers")
    .shuffled(members)
    .slice(0, number)
    .sort((a, b) => a - b);
}

/** Whether a member attacks in a round. Colluding members decide together. */
export function attacksIn(config: AttackConfig, round: number, member: number, random: Random): boolean {
  const { from, probability, cycle } = config.schedule;
  if (round < from) return false;
  if (cycle !== undefined && (round - from) % (cycle.offFor + cycle.onFor) < cycle.offFor) return false;
  if (probability === 1) return true;
  return random.derive("attack this round", round, config.collusion ? -1 : member).uniform() < probability;
}
