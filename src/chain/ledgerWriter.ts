// SPDX-License-Identifier: Apache-2.0

import type { RoundResult } from "../protocol/attestation.ts";
import type { ScoreReveal } from "../protocol/attestedScores.ts";
import { type Hex, toHex } from "../protocol/bytes.ts";
import { commitmentDigest, type UpdateCommitment } from "../protocol/commitment.ts";
import type {
  CommittedUpdate,
  CutOff,
  Finalisation,
  LedgerAddresses,
  LedgerWriter,
  Receipt,
} from "../protocol/ledger.ts";
import type { ChainEndpoint } from "./chainEndpoint.ts";
import { type ContractCodec, PROOF_OF_TRAINING, SHAPLEY_REWARDS, TRAINING_LEDGER } from "./contracts.ts";
import { LedgerRevert } from "./errors.ts";
import { RpcLedgerReader } from "./ledgerReader.ts";
import * as records from "./records.ts";
import { TransactionSender, type TransactionSenderOptions } from "./transactionSender.ts";

/** Blocks to look for an earlier transaction of the same effect, which may still be on its way into one. */
const EARLIER_BLOCKS = 3;

/**
 * Transactions of one participant. Each is idempotent for its caller: when the contract refuses and the chain already has exactly what was to
 * be written, the earlier transaction's receipt is the result. That is what a process needs which was killed between sending and noting.
 */
export class RpcLedgerWriter extends RpcLedgerReader implements LedgerWriter {
  readonly account: string;
  readonly #sender: TransactionSender;

  constructor(
    endpoint: ChainEndpoint,
    addresses: LedgerAddresses,
    privateKey: Hex,
    options: TransactionSenderOptions = {},
  ) {
    super(endpoint, addresses);
    this.#sender = new TransactionSender(endpoint, privateKey, options);
    this.account = this.#sender.account;
  }

  async openRound(run: bigint): Promise<Receipt> {
    const { lastRound } = records.shaped(records.runViewSchema, "runOf", await this.ledgerView("runOf", run));
    return await this.#idempotent(
      () => this.#transact(TRAINING_LEDGER, "openRound", run),
      // Somebody else was faster. The round that was last before this call being open is no success.
      async () => {
        const next = lastRound + 1;
        const { lastRound: now } = records.shaped(records.runViewSchema, "runOf", await this.ledgerView("runOf", run));
        if (now < next) return undefined;
        const [event] = await this.eventsOfRound(
          run,
          next,
          "commitDeadline",
          TRAINING_LEDGER,
          "RoundOpened",
          records.roundOpenedSchema,
        );
        return event?.transaction;
      },
    );
  }

  async registerBeaconChain(run: bigint, end: Hex): Promise<Receipt> {
    return await this.#idempotent(
      () => this.#transact(TRAINING_LEDGER, "registerBeaconChain", run, end),
      async () => {
        const events = await this.eventsOfRun(
          run,
          TRAINING_LEDGER,
          "BeaconChainRegistered",
          records.chainRegisteredSchema,
        );
        // A hash chain's end is its owner's alone, so an equal one was registered by this caller.
        return events.find((event) => event.values.end === end)?.transaction;
      },
    );
  }

  async commit(commitment: UpdateCommitment, signature: Hex): Promise<Receipt> {
    const { run, round, memberId } = commitment;
    const { head: _, ...fields } = commitment;
    return await this.#idempotent(
      () => this.#transact(TRAINING_LEDGER, "commit", fields, signature),
      async () => {
        const events = await this.eventsOfRound(
          run,
          round,
          "commitDeadline",
          TRAINING_LEDGER,
          "Committed",
          records.committedSchema,
        );
        const mine = events.find((event) => event.values.memberId === memberId);
        const same =
          mine?.values.artifactDigest === commitment.artifactDigest &&
          mine.values.artifactCid === commitment.artifactCid &&
          mine.values.samples === commitment.samples &&
          mine.values.lossCommitment === commitment.lossCommitment &&
          mine.values.extension === commitment.extension;
        return same ? mine.transaction : undefined;
      },
    );
  }

  async verdict(run: bigint, round: number, bitmap: bigint, codes: Uint8Array, reveal: Hex): Promise<Receipt> {
    return await this.#idempotent(
      () => this.#transact(TRAINING_LEDGER, "verdict", run, round, bitmap, codes, reveal),
      async () => {
        const events = await this.eventsOfRound(
          run,
          round,
          "judgeDeadline",
          TRAINING_LEDGER,
          "Verdict",
          records.verdictSchema,
        );
        const mine = events.find((event) => event.values.reveal === reveal);
        const same = mine !== undefined && BigInt(mine.values.bitmap) === bitmap && mine.values.codes === toHex(codes);
        return same ? mine.transaction : undefined;
      },
    );
  }

  async attest(run: bigint, round: number, seal: Hex, scoreCommitment?: Hex): Promise<Receipt> {
    return await this.#idempotent(
      () =>
        scoreCommitment === undefined
          ? this.#transact(PROOF_OF_TRAINING, "attest", run, round, seal)
          : this.#transact(PROOF_OF_TRAINING, "attestWithScores", run, round, seal, scoreCommitment),
      async () => {
        // The seal binds the validator's address, so an equal one is this validator's.
        const events = await this.eventsOfRound(
          run,
          round,
          "attestDeadline",
          PROOF_OF_TRAINING,
          "Attested",
          records.attestedSchema,
        );
        return events.find((event) => event.values.seal === seal)?.transaction;
      },
    );
  }

  /** Also succeeds when another validator has finalised the round: q seals fix the result, whoever opens it. */
  async finalise(run: bigint, round: number, finalisation: Finalisation): Promise<Receipt> {
    return await this.#idempotent(
      () => this.#transact(PROOF_OF_TRAINING, "finalise", run, round, finalisation),
      async () => (await this.finalised(run, round))?.transaction,
    );
  }

  async revealScores(run: bigint, round: number, { scores, salt }: ScoreReveal): Promise<Receipt> {
    return await this.#idempotent(
      () => this.#transact(SHAPLEY_REWARDS, "revealScores", run, round, scores, salt),
      async () => {
        // The salt is its owner's alone, so an equal one was revealed by this caller.
        const events = await this.eventsOfRun(run, SHAPLEY_REWARDS, "ScoresRevealed", records.scoresRevealedSchema);
        return events.find(({ values }) => values.round === round && values.salt === salt)?.transaction;
      },
    );
  }

  /** Also succeeds when somebody else has booked the round: what was revealed fixes the result. */
  async bookScores(
    result: RoundResult,
    accepted: readonly CommittedUpdate[],
    reveals: readonly ScoreReveal[],
  ): Promise<Receipt> {
    const opened = reveals.map(({ scores, salt }) => ({ scores, salt }));
    return await this.#idempotent(
      () => this.#transact(SHAPLEY_REWARDS, "bookScores", result, accepted, opened),
      async () => {
        const events = await this.eventsOfRun(result.run, SHAPLEY_REWARDS, "ScoresBooked", records.scoresBookedSchema);
        return events.find(({ values }) => values.round === result.round)?.transaction;
      },
    );
  }

  /** Also succeeds when somebody else has settled the run: there is one correct split. */
  async settle(run: bigint, contributionCutOff: CutOff, participationCutOff: CutOff): Promise<Receipt> {
    return await this.#idempotent(
      () => this.#transact(SHAPLEY_REWARDS, "settle", run, contributionCutOff, participationCutOff),
      async () => (await this.eventsOfRun(run, SHAPLEY_REWARDS, "Settled", records.settledSchema))[0]?.transaction,
    );
  }

  async claim(run: bigint): Promise<Receipt> {
    return await this.#idempotent(
      () => this.#transact(SHAPLEY_REWARDS, "claim", run),
      async () => {
        const memberId = await this.memberIdOf(this.account);
        const events = await this.eventsOfRun(run, SHAPLEY_REWARDS, "Claimed", records.claimedSchema);
        return events.find((event) => event.values.memberId === memberId)?.transaction;
      },
    );
  }

  async signCommitment(commitment: UpdateCommitment): Promise<Hex> {
    return this.#sender.signDigest(commitmentDigest(commitment, this.chainId, this.addresses.trainingLedger));
  }

  async #transact(codec: ContractCodec, functionName: string, ...args: unknown[]): Promise<Receipt> {
    const { transaction, block, gasUsed } = await this.#sender.call({
      codec,
      to: this.addressOf(codec),
      functionName,
      args,
    });
    return { transaction, block, gasUsed };
  }

  /**
   * @param earlier finds the transaction that already had the effect of `transact`, if there is one
   * @throws LedgerRevert as `transact` when there is none.
   */
  async #idempotent(transact: () => Promise<Receipt>, earlier: () => Promise<Hex | undefined>): Promise<Receipt> {
    try {
      return await transact();
    } catch (error) {
      if (!(error instanceof LedgerRevert)) throw error;
      // The estimate sees pending transactions of others (and our own from before a crash) whose events come with the next blocks.
      let block = await this.blockNumber();
      for (let waited = 0; ; waited++) {
        const transaction = await earlier();
        const receipt = transaction === undefined ? undefined : await this.#sender.receiptOf(transaction);
        if (receipt !== undefined) return receipt;
        if (waited === EARLIER_BLOCKS || !isTaken(error)) throw error;
        block = await this.waitForBlockAfter(block);
      }
    }
  }
}

/** Refusals that say the thing has been done, and so are worth a look at the next blocks. */
const TAKEN = new Set([
  "TrainingLedgerRoundOpen",
  "TrainingLedgerChainRegistered",
  "TrainingLedgerAlreadyCommitted",
  "TrainingLedgerVerdictGiven",
  "TrainingLedgerAlreadyAttested",
  "ShapleyRewardsAlreadyRevealed",
  "ShapleyRewardsAlreadyBooked",
  "ShapleyRewardsAlreadySettled",
  "ShapleyRewardsNothingToClaim",
]);

function isTaken(error: LedgerRevert): boolean {
  // A round that is past the wanted phase may be so by the very transaction that is looked for.
  return (
    TAKEN.has(error.error) || error.error === "TrainingLedgerWrongPhase" || error.error === "TrainingLedgerRunEnded"
  );
}
