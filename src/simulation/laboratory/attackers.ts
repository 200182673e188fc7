// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../protocol/dataset.ts";
import type { Random } from "../../protocol/random.ts";
import type { AggregationConfig } from "../../protocol/recipe/aggregationConfig.ts";
import type { CodecConfig } from "../../protocol/recipe/codecConfig.ts";
import type { PayloadExtent } from "../../update/payloadExtent.ts";
import type { AttackLearner, Symmetry, Vector } from "../attacks/attack.ts";
import type { AttackConfig } from "../attacks/attackConfig.ts";
import { craftUpdates } from "../attacks/craftUpdates.ts";
import { attacksIn, chooseAttackers } from "../attacks/schedule.ts";
import { attackOf } from "../attacks/table.ts";

/** A round as attackers meet it. */
export interface RoundUnderAttack {
  readonly round: number;
  /** What each member of the cohort trained, ascending ids. */
  readonly trained: readonly { readonly id: number; readonly delta: Float32Array }[];
  /** The received state, and the one before. */
  readonly received: Vector;
  readonly previous: Vector | undefined;
  readonly rule: AggregationConfig;
  readonly learner?: AttackLearner | undefined;
  readonly symmetry?: Symmetry | undefined;
}

/** The members that attack: one set, which carries out every attack of the cell, one after the other. */
export class Attackers {
  readonly ids: ReadonlySet<number>;
  readonly #attacks: readonly [AttackConfig, ...AttackConfig[]];
  readonly #members: readonly number[];
  readonly #random: Random;
  readonly #last = new Map<number, Vector>();

  /** @throws ConfigError when nobody would attack or nobody would be left. */
  constructor(attacks: readonly [AttackConfig, ...AttackConfig[]], members: readonly number[], random: Random) {
    this.#attacks = attacks;
    this.#members = members;
    this.#random = random;
    this.ids = new Set(chooseAttackers(attacks[0], members, random));
  }

  /** The same attackers with a memory of their own, for another model that they attack. */
  elsewhere(): Attackers {
    return new Attackers(this.#attacks, this.#members, this.#random);
  }

  /** The shard that a member trains on. */
  poison(id: number, shard: Dataset): Dataset {
    if (!this.ids.has(id)) return shard;
    return this.#attacks.reduce(
      (poisoned, attack) => attackOf(attack).poison?.(attack, poisoned, this.#random.derive("poison", id)) ?? poisoned,
      shard,
    );
  }

  /** What attackers send in place of their updates, by id; who behaves is not in the map. */
  async craft({ round, trained, ...seen }: RoundUnderAttack): Promise<ReadonlyMap<number, Float32Array>> {
    const sent = new Map<number, Float32Array>();
    const honest = trained.filter(({ id }) => !this.ids.has(id)).map(({ delta }) => delta);
    const own = trained.filter(({ id }) => this.ids.has(id));
    for (const attack of this.#attacks) {
      const attackers = own.map(({ id, delta }) => ({ id, update: sent.get(id) ?? delta, last: this.#last.get(id) }));
      if (attackers.length === 0) continue;
      for (const [id, delta] of await craftUpdates(attack, { round, honest, attackers, random: this.#random, ...seen }))
        sent.set(id, delta);
    }
    for (const { id, delta } of own) this.#last.set(id, sent.get(id) ?? delta);
    return sent;
  }

  /** Whether a member attacks in a round by any of the attacks. */
  acts(id: number, round: number): boolean {
    return this.ids.has(id) && this.#attacks.some((attack) => attacksIn(attack, round, id, this.#random));
  }

  /** What a member says about its samples and loss. */
  report(
    id: number,
    round: number,
    truth: { readonly samples: number; readonly loss: number },
  ): { samples: number; loss: number } {
    const acting = this.#attacks.filter((attack) => this.ids.has(id) && attacksIn(attack, round, id, this.#random));
    return acting.reduce((report, attack) => attackOf(attack).report?.(attack, report) ?? report, { ...truth });
  }

  /** Bytes that a member sends instead of a coded update; undefined for most. */
  payload(id: number, round: number, codec: CodecConfig, extent: PayloadExtent): Uint8Array | undefined {
    for (const attack of this.#attacks) {
      if (!this.ids.has(id) || !attacksIn(attack, round, id, this.#random)) continue;
      const payload = attackOf(attack).payload?.(attack, codec, extent);
      if (payload !== undefined) return payload;
    }
    return undefined;
  }
}
