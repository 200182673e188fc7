// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../../protocol/random.ts";
import type { AggregationConfig } from "../../protocol/recipe/aggregationConfig.ts";
import type { AttackLearner, CraftInput, Symmetry, Vector } from "./attack.ts";
import type { AttackConfig } from "./attackConfig.ts";
import { attacksIn } from "./schedule.ts";
import { attackOf } from "./table.ts";

/** An attacker that takes part in the round. */
export interface Attacker {
  readonly id: number;
  /** What it would send if it behaved; trained on its poisoned shard, if the attack poisons shards. */
  readonly update: Vector;
  /** What it sent in its last round, for replays. */
  readonly last?: Vector | undefined;
}

/** A round as the simulation sees it; how much of it the attackers see is decided here. */
export interface AttackedRound {
  readonly round: number;
  /** Updates of the honest members that take part, ascending ids. */
  readonly honest: readonly Vector[];
  /** Ascending ids. */
  readonly attackers: readonly Attacker[];
  /** w^t. */
  readonly received: Vector;
  /** w^{t−1}; undefined in the first round. */
  readonly previous?: Vector | undefined;
  readonly rule: AggregationConfig;
  /** Names the run; streams for round and attackers are derived from it. */
  readonly random: Random;
  readonly learner?: AttackLearner | undefined;
  readonly symmetry?: Symmetry | undefined;
}

/**
 * What the attackers send, by member id, rounded to float32 like every update. Who behaves this round, by schedule or because the attack is of
 * another kind, is not in the map.
 */
export async function craftUpdates(config: AttackConfig, seen: AttackedRound): Promise<Map<number, Float32Array>> {
  const { craft } = attackOf(config);
  const acting = seen.attackers.filter(({ id }) => attacksIn(config, seen.round, id, seen.random));
  const sent = new Map<number, Float32Array>();
  if (craft === undefined || acting.length === 0) return sent;
  for (const group of config.collusion ? [acting] : acting.map((attacker) => [attacker])) {
    const crafted = await craft(config, inputOf(config, seen, group));
    for (const [i, { id }] of group.entries()) sent.set(id, Float32Array.from(crafted[i] as Vector));
  }
  return sent;
}

function inputOf(config: AttackConfig, seen: AttackedRound, group: readonly Attacker[]): CraftInput {
  const { round, honest, attackers, received, previous, rule, random, learner, symmetry } = seen;
  const { knowledge } = config;
  const { partial } = attackOf(config);
  const own = group.map(({ update }) => update);
  const grants = (what: "updates" | "rule"): boolean =>
    knowledge === "omniscient" || (knowledge === "partial" && partial === what);
  const knowsUpdates = grants("updates") && honest.length > 0;
  return {
    round,
    benign: knowsUpdates ? honest : own,
    knowsUpdates,
    own,
    last: group.map(({ last }) => last),
    members: honest.length + attackers.length,
    received,
    previous,
    rule: grants("rule") ? rule : undefined,
    random: random.derive("attack", config.name, round, config.collusion ? -1 : (group[0] as Attacker).id),
    learner,
    symmetry,
  };
}
