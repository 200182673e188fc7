// SPDX-License-Identifier: Apache-2.0
import { hasBit } from "../protocol/bitmap.ts";
import { EXIT, FoedusError } from "../protocol/errors.ts";
import type { AttestedRound, RoundView } from "../protocol/ledger.ts";
import { isClosed, roundState } from "../round/waitForRound.ts";
import { enterRound } from "./enterRound.ts";
import { bookScores } from "./round/bookScores.ts";
import { revealScores } from "./round/revealScores.ts";
import type { ValidatorContext } from "./validatorContext.ts";

/**
 * What a validator owes a run with attested scoring after each round: its own scores while they can be revealed, and the booking when that is
 * over. It remembers what saves work; after a restart all of it follows again from chain, store and the validator's own data.
 */
export class ScoreDuties {
  readonly #validator: ValidatorContext;
  /** Own scores of the rounds since the start, by round. */
  readonly #scores = new Map<number, readonly number[]>();
  /** Rounds in which nothing is left to reveal, and rounds that are over. */
  readonly #revealed = new Set<number>();
  readonly #done = new Set<number>();

  constructor(validator: ValidatorContext) {
    this.#validator = validator;
  }

  remember(round: number, scores: readonly number[]): void {
    this.#scores.set(round, scores);
  }

  /** Does what is due in the latest block for rounds up to `lastRound`. What fails is said and tried again with a later block. */
  async attend(lastRound: number): Promise<void> {
    if (this.#validator.recipe.scoring.mode !== "attested") return;
    for (let round = 1; round <= lastRound; round++) {
      if (this.#done.has(round)) continue;
      try {
        await this.#attendRound(round);
      } catch (error) {
        const { signal, logger } = this.#validator;
        signal.throwIfAborted();
        if (error instanceof FoedusError && error.exitCode !== EXIT.verificationFailed) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        logger.error({ round, error: reason }, "this validator could not reveal or book scores");
      }
    }
  }

  async #attendRound(round: number): Promise<void> {
    const { ledger, run } = this.#validator;
    const current = await roundState(ledger, run, round);
    if (!isClosed(current)) return;
    const state = current.phase === "finalised" ? await ledger.attestedRound(run, round) : undefined;
    if (state === undefined || state.booked || state.voided) {
      this.#done.add(round);
      this.#scores.delete(round);
      return;
    }
    if (current.block < state.revealEnd) await this.#reveal(current.round, state);
    else if (current.block >= state.bookAfter && (await this.#isTurn(current.round, current.block - state.bookAfter)))
      await bookScores(this.#validator, round);
  }

  async #reveal(view: RoundView, state: AttestedRound): Promise<void> {
    if (this.#revealed.has(view.round)) return;
    const round = await enterRound(this.#validator, view);
    if (round !== undefined && !hasBit(state.revealed, round.self.index))
      await revealScores(this.#validator, round, state, this.#scores.get(view.round));
    this.#revealed.add(view.round);
  }

  /** One validator at first, one more after each view, so that not all of them pay for the same booking. */
  async #isTurn(view: RoundView, waited: number): Promise<boolean> {
    const { ledger, params } = this.#validator;
    const { validators } = await ledger.validatorSet(view.validatorSetVersion);
    const account = ledger.account.toLowerCase();
    const index = validators.findIndex(({ signer }) => signer.toLowerCase() === account);
    const n = validators.length;
    const turn = index < 0 ? n : (((index - view.round) % n) + n) % n;
    return waited >= turn * params.viewBlocks;
  }
}
