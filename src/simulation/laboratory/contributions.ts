// SPDX-License-Identifier: Apache-2.0
import { relativeError } from "../../incentives/estimateShapley.ts";
import { splitReward } from "../../incentives/splitReward.ts";
import { spearman } from "../../numerics/statistics/spearman.ts";
import type { Figures } from "../studies/study.ts";
import type { RoundScores } from "./scoreRound.ts";

/** A round's scores and whose they are. */
export interface ScoredRound extends RoundScores {
  readonly members: readonly number[];
}

/** A pool in a token's smallest units, and ω of the split. */
const POOL = 1_000_000n;
const OMEGA_Q16 = 45_875;

interface Sums {
  own: number;
  exact: number;
  /** Rounds with a positive score. */
  participation: bigint;
}

/** Scores of a whole run: who is absent from a round adds nothing in it (additivity, spec F2). */
export class Contributions {
  readonly #sums = new Map<number, Sums>();
  readonly #attackers: ReadonlySet<number>;
  /** Whether scores have the unit of the exact ones. */
  readonly #inNats: boolean;
  #rounds = 0;
  #evaluations = 0;
  #compared = false;

  constructor(members: readonly number[], attackers: ReadonlySet<number>, inNats: boolean) {
    for (const id of members) this.#sums.set(id, { own: 0, exact: 0, participation: 0n });
    this.#attackers = attackers;
    this.#inNats = inNats;
  }

  add({ members, scores, evaluations, exact }: ScoredRound): void {
    this.#rounds += 1;
    this.#evaluations += evaluations;
    this.#compared ||= exact !== undefined;
    for (const [i, id] of members.entries()) {
      const sums = this.#sums.get(id) as Sums;
      sums.own += scores[i] as number;
      sums.exact += exact?.[i] ?? 0;
      if ((scores[i] as number) > 0) sums.participation += 1n;
    }
  }

  /**
   * @returns `scoreEvaluations`: models (in-run: gradients) a round; where cells compare, `scoreError` = ‖φ̂ − φ‖/‖φ‖ (spec F6; not of scores without
   * a unit) and `scoreRank`, Spearman's correlation with the exact values; with attackers, `honestBelowAttackers`: honest members that score below one
   * of them, and `attackersReward`: their share of a pool; and `poolMissing`: what a pool's split leaves over or owes, 0 by the rule; `poolRefunded`: the
   * share that goes back to the sponsor, all where nobody scored above 0 in any round. Empty without scores.
   */
  figures(): Figures {
    if (this.#rounds === 0) return {};
    const ids = [...this.#sums.keys()].sort((a, b) => a - b);
    const sums = ids.map((id) => this.#sums.get(id) as Sums);
    const own = sums.map((one) => one.own);
    const exact = sums.map((one) => one.exact);
    const { amounts, refund } = splitReward(
      POOL,
      OMEGA_Q16,
      sums.map(({ own: contribution, participation }, i) => ({
        memberId: ids[i] as number,
        contribution: BigInt(contribution),
        participation,
      })),
    );
    const paid = amounts.reduce((sum, amount) => sum + amount, 0n);
    const attacking = ids.map((id) => this.#attackers.has(id));
    const highest = own.reduce((most, value, i) => (attacking[i] ? Math.max(most, value) : most), -Infinity);
    const toAttackers = amounts.reduce((sum, amount, i) => (attacking[i] ? sum + amount : sum), 0n);
    return {
      scoreEvaluations: this.#evaluations / this.#rounds,
      poolMissing: Number(POOL - refund - paid),
      poolRefunded: Number(refund) / Number(POOL),
      ...(this.#compared
        ? { scoreRank: spearman(own, exact), ...(this.#inNats ? { scoreError: relativeError(own, exact) } : {}) }
        : {}),
      ...(this.#attackers.size > 0
        ? {
            honestBelowAttackers: own.filter((value, i) => !attacking[i] && value < highest).length,
            attackersReward: Number(toAttackers) / Number(POOL),
          }
        : {}),
    };
  }
}
