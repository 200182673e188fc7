// SPDX-License-Identifier: Apache-2.0

import { z } from "zod";
import { fromHex, type Hex } from "../protocol/bytes.ts";
import { ZERO_WORD } from "../protocol/commitment.ts";
import { DecodeError } from "../protocol/errors.ts";
import type {
  AttestationRecord,
  AttestedRound,
  AuditorRecord,
  BookedScores,
  CommitRecord,
  FinalisedRecord,
  LedgerAddresses,
  LedgerReader,
  MemberRecord,
  RoundRecord,
  RoundView,
  RunParams,
  RunView,
  ScoreCommitmentRecord,
  ScoreRevealRecord,
  SettlementRecord,
  Standing,
  ValidatorSet,
  VerdictRecord,
} from "../protocol/ledger.ts";
import { paramsDigest, validatorSetDigest } from "../protocol/runParams.ts";
import type { ChainEndpoint } from "./chainEndpoint.ts";
import {
  CONSORTIUM,
  type ContractCodec,
  PROOF_OF_TRAINING,
  PROOF_VERIFIER,
  SHAPLEY_REWARDS,
  TRAINING_LEDGER,
} from "./contracts.ts";
import { LedgerRevert } from "./errors.ts";
import { type DecodedEvent, readEvents } from "./logs.ts";
import * as records from "./records.ts";
import { roundView } from "./roundView.ts";

const ROLE_MEMBER = 1;

/** Phases of events within a round, by the deadline until which they can happen. */
type Deadline = "commitDeadline" | "judgeDeadline" | "attestDeadline" | "finaliseDeadline";

/**
 * The ledger over JSON-RPC. Keeps nothing that a reorganisation could change: every question goes to the endpoint. The only memory is a run's
 * parameters, which the run's digest binds, and members' names, which never change.
 */
export class RpcLedgerReader implements LedgerReader {
  readonly endpoint: ChainEndpoint;
  readonly chainId: bigint;
  readonly addresses: LedgerAddresses;
  readonly #params = new Map<Hex, RunParams>();
  readonly #names = new Map<number, string>();

  constructor(endpoint: ChainEndpoint, addresses: LedgerAddresses) {
    this.endpoint = endpoint;
    this.chainId = endpoint.chainId;
    this.addresses = addresses;
  }

  async blockNumber(): Promise<number> {
    return await this.endpoint.blockNumber();
  }

  async waitForBlockAfter(block: number, signal?: AbortSignal): Promise<number> {
    return await this.endpoint.clock.after(block, signal);
  }

  /** Ends waiting and requests of this client, and of all that share its endpoint. */
  close(): void {
    this.endpoint.close();
  }

  async runView(run: bigint): Promise<RunView> {
    const view = records.shaped(records.runViewSchema, "runOf", await this.ledgerView("runOf", run));
    return {
      run,
      params: await this.#paramsOf(run, view.paramsDigest),
      paramsDigest: view.paramsDigest,
      sponsor: view.sponsor,
      openedBlock: view.openedBlock,
      head: view.head,
      headRound: view.headRound,
      modelRoot: view.modelRoot,
      checkpointCid: view.checkpointCid,
      finalisedRounds: view.finalisedRounds,
      lastRound: view.lastRound,
      ended: view.ended,
      // Only an ended run can be settled, so a run under way costs one call.
      settled: view.ended && (await this.#account(run)).settled,
    };
  }

  async roundView(run: bigint, round: number): Promise<RoundView> {
    return roundView(run, round, await this.#round(run, round));
  }

  async recordOf(run: bigint, round: number): Promise<RoundRecord | undefined> {
    try {
      const record = records.shaped(
        records.roundRecordSchema,
        "recordOf",
        await this.ledgerView("recordOf", run, round),
      );
      const { head, finalisedBlock } = record;
      return { head, ...(await this.#checkpointOf(run, round)), finalisedBlock };
    } catch (error) {
      if (error instanceof LedgerRevert && error.error === "TrainingLedgerNotFinalised") return undefined;
      throw error;
    }
  }

  async validatorSet(version: number): Promise<ValidatorSet> {
    const [seats, digest] = await Promise.all([
      this.consortiumView("validatorSet", version),
      this.consortiumView("validatorSetDigest", version),
    ]);
    const validators = records
      .shaped(records.validatorSeatsSchema, "validatorSet", seats)
      .map((seat, index) => ({ id: seat.id, index, signer: seat.signer, encryptionKey: seat.encryptionKey }));
    if (validatorSetDigest(this.chainId, this.addresses.consortium, version, validators) !== digest) {
      throw new DecodeError(
        `The validator set ${version} that the chain endpoint gives does not have the digest ${String(digest)}.`,
        { version },
      );
    }
    return { version, digest: digest as Hex, validators };
  }

  async latestValidatorSetVersion(): Promise<number> {
    return (await this.consortiumView("validatorSetVersion")) as number;
  }

  /** Auditors to whom a round opened in `block` is sealed: records made before it, as the contract reads them. */
  async auditorsAt(block: number): Promise<readonly AuditorRecord[]> {
    const value = await this.consortiumView("auditorsBefore", block);
    const { ids, encryptionKeys } = records.shaped(records.auditorsSchema, "auditorsBefore", value);
    if (ids.length !== encryptionKeys.length || ids.some((id, i) => i > 0 && id <= (ids[i - 1] as number))) {
      throw new DecodeError("The chain endpoint's list of auditors is not one key for each of ascending ids.", { ids });
    }
    return ids.map((id, i) => ({ id, encryptionKey: encryptionKeys[i] as Hex }));
  }

  async memberCount(): Promise<number> {
    return (await this.consortiumView("memberCount")) as number;
  }

  async memberInRound(run: bigint, round: number, memberId: number): Promise<MemberRecord | undefined> {
    const { rosterBefore } = await this.#round(run, round);
    const value = await this.consortiumView("memberBefore", memberId, rosterBefore);
    const record = records.shaped(records.rosterRecordSchema, "memberBefore", value);
    if (!record.active) return undefined;
    const { signer, encryptionKey, maxSamples } = record;
    return { id: memberId, signer, encryptionKey, maxSamples, name: await this.#nameOf(memberId) };
  }

  async isInvited(run: bigint, round: number, memberId: number): Promise<boolean> {
    return (await this.ledgerView("isInvited", run, round, memberId)) as boolean;
  }

  async memberIdOf(signer: string): Promise<number | undefined> {
    const value = await this.consortiumView("identityOf", signer);
    const { role, id } = records.shaped(records.participantSchema, "identityOf", value);
    return role === ROLE_MEMBER ? id : undefined;
  }

  async standingOf(run: bigint, memberId: number): Promise<Standing> {
    const standing = records.shaped(
      records.standingSchema,
      "standingOf",
      await this.rewardsView("standingOf", run, memberId),
    );
    const { reputation, contribution, participation, reward, claimed } = standing;
    return { memberId, reputationQ16: reputation, contribution, participation, reward, claimed };
  }

  async beaconTip(run: bigint, validatorId: number): Promise<Hex | undefined> {
    const { tip } = records.shaped(
      records.beaconChainSchema,
      "beaconChainOf",
      await this.ledgerView("beaconChainOf", run, validatorId),
    );
    return tip === ZERO_WORD ? undefined : tip;
  }

  async commits(run: bigint, round: number): Promise<readonly CommitRecord[]> {
    const view = await this.#round(run, round);
    const events = await this.#roundEvents(
      run,
      round,
      view,
      "commitDeadline",
      TRAINING_LEDGER,
      "Committed",
      records.committedSchema,
    );
    const found = events.map(({ values, block }): CommitRecord => {
      const { commitIndex, signature, ...fields } = values;
      return { commitment: { ...fields, head: view.head }, commitIndex, signature, block };
    });
    // Indices are given in order of mining, so what the endpoint leaves out in the middle shows.
    const gap = found.findIndex((commit, index) => commit.commitIndex !== index);
    if (gap !== -1) {
      throw new DecodeError(
        `The chain endpoint leaves out commit ${gap} of round ${round} of run ${run}, or gives it twice.`,
        { run, round, gap },
      );
    }
    return found;
  }

  async verdicts(run: bigint, round: number): Promise<readonly VerdictRecord[]> {
    const view = await this.#round(run, round);
    const events = await this.#roundEvents(
      run,
      round,
      view,
      "judgeDeadline",
      TRAINING_LEDGER,
      "Verdict",
      records.verdictSchema,
    );
    requireDistinctValidators(events, view.validators);
    return events.map(({ values, block }) => ({
      validatorIndex: values.validatorIndex,
      validatorId: values.validatorId,
      bitmap: BigInt(values.bitmap),
      codes: fromHex(values.codes),
      reveal: values.reveal,
      block,
    }));
  }

  async attestations(run: bigint, round: number): Promise<readonly AttestationRecord[]> {
    const view = await this.#round(run, round);
    const events = await this.#roundEvents(
      run,
      round,
      view,
      "attestDeadline",
      PROOF_OF_TRAINING,
      "Attested",
      records.attestedSchema,
    );
    requireDistinctValidators(events, view.validators);
    return events.map(({ values, block }) => {
      const { validatorIndex, validatorId, seal } = values;
      return { validatorIndex, validatorId, seal, block };
    });
  }

  async finalised(run: bigint, round: number): Promise<FinalisedRecord | undefined> {
    const event = await this.#finalisedEvent(run, round);
    if (event === undefined) return undefined;
    const { result, weights, scores, bindingDigest, proof, head, agreeing, proposer } = event.values;
    const { kept, modelRoot, checkpointCid, updateNormSq, reportedLoss, extension } = result;
    // The event does not repeat what the Committed events have.
    const committed = (await this.commits(run, round))
      .map(({ commitIndex, commitment: { memberId, artifactDigest, artifactCid, samples, lossCommitment } }) => ({
        memberId,
        commitIndex,
        artifactDigest,
        artifactCid,
        samples,
        lossCommitment,
      }))
      .sort((a, b) => a.memberId - b.memberId);
    const finalisation = {
      kept,
      committed,
      weights,
      scores,
      modelRoot,
      checkpointCid,
      updateNormSq,
      reportedLoss,
      extension,
      bindingDigest,
      proof,
    };
    return {
      result,
      finalisation,
      head,
      agreeing: BigInt(agreeing),
      proposer,
      block: event.block,
      transaction: event.transaction,
    };
  }

  async #finalisedEvent(run: bigint, round: number) {
    const view = await this.#round(run, round);
    const events = await this.#roundEvents(
      run,
      round,
      view,
      "finaliseDeadline",
      PROOF_OF_TRAINING,
      "Finalised",
      records.finalisedSchema,
    );
    if (events.length > 1) {
      throw new DecodeError(
        `The chain endpoint says that round ${round} of run ${run} was finalised ${events.length} times.`,
        { run, round },
      );
    }
    return events[0];
  }

  /** Model of a finalised round: the contract stores that of the head alone, so this is the event's. */
  async #checkpointOf(run: bigint, round: number): Promise<{ modelRoot: Hex; checkpointCid: Hex }> {
    if (round === 0) {
      const { initialModelRoot, initialCheckpointCid } = (await this.runView(run)).params;
      return { modelRoot: initialModelRoot, checkpointCid: initialCheckpointCid };
    }
    const event = await this.#finalisedEvent(run, round);
    if (event === undefined) {
      throw new DecodeError(
        `The chain endpoint stores round ${round} of run ${run} as finalised and leaves out its Finalised event.`,
        { run, round },
      );
    }
    return { modelRoot: event.values.result.modelRoot, checkpointCid: event.values.result.checkpointCid };
  }

  async settlement(run: bigint): Promise<SettlementRecord | undefined> {
    const [event] = await this.eventsOfRun(run, SHAPLEY_REWARDS, "Settled", records.settledSchema);
    if (event === undefined) return undefined;
    const { pool, refund, memberIds, rewards } = event.values;
    if (memberIds.length !== rewards.length)
      throw new DecodeError(`The settlement of run ${run} lists members and rewards of different number.`, { run });
    return {
      pool,
      refund,
      rewards: memberIds.map((memberId, i) => ({ memberId, amount: rewards[i] as bigint })),
      block: event.block,
    };
  }

  async settlementBlock(run: bigint): Promise<number> {
    return (await this.#account(run)).windowEnd;
  }

  async settlementPool(run: bigint): Promise<bigint> {
    const { pool, bondsAtStake } = await this.#account(run);
    return pool + bondsAtStake;
  }

  async pendingScores(run: bigint): Promise<number> {
    return (await this.#account(run)).pendingScores;
  }

  async attestedRound(run: bigint, round: number): Promise<AttestedRound | undefined> {
    const value = await this.rewardsView("attestedScoresOf", run, round);
    const { revealEnd, revealed, ...rest } = records.shaped(records.attestedRoundSchema, "attestedScoresOf", value);
    return revealEnd === 0 ? undefined : { revealEnd, revealed: BigInt(revealed), ...rest };
  }

  async scoreCommitments(run: bigint, round: number): Promise<readonly ScoreCommitmentRecord[]> {
    const view = await this.#round(run, round);
    const events = await this.#roundEvents(
      run,
      round,
      view,
      "attestDeadline",
      SHAPLEY_REWARDS,
      "ScoresCommitted",
      records.scoresCommittedSchema,
    );
    requireDistinctValidators(events, view.validators);
    return byIndex(
      events.map(({ values, block }) => {
        const { validatorIndex, validatorId, commitment } = values;
        return { validatorIndex, validatorId, commitment, block };
      }),
    );
  }

  async scoreReveals(run: bigint, round: number): Promise<readonly ScoreRevealRecord[]> {
    const { validators } = await this.#round(run, round);
    const events = await this.#scoreEvents(run, round, "ScoresRevealed", records.scoresRevealedSchema);
    requireDistinctValidators(events, validators);
    return byIndex(
      events.map(({ values, block }) => {
        const { validatorIndex, validatorId, scores, salt } = values;
        return { validatorIndex, validatorId, scores, salt, block };
      }),
    );
  }

  async bookedScores(run: bigint, round: number): Promise<BookedScores | undefined> {
    const events = await this.#scoreEvents(run, round, "ScoresBooked", records.scoresBookedSchema);
    if (events.length > 1) {
      throw new DecodeError(
        `The chain endpoint says that the scores of round ${round} of run ${run} were booked ${events.length} times.`,
        { run, round },
      );
    }
    const [event] = events;
    if (event === undefined) return undefined;
    const { reveals, memberIds, scores } = event.values;
    return { reveals, memberIds, scores, block: event.block };
  }

  async circuitCapacity(verifier: string): Promise<number> {
    const slots = await this.endpoint.view({ codec: PROOF_VERIFIER, to: verifier, functionName: "capacity", args: [] });
    return records.shaped(z.bigint().min(1n).max(1024n).transform(Number), "capacity", slots);
  }

  async voidedRounds(run: bigint): Promise<readonly number[]> {
    const events = await this.eventsOfRun(run, SHAPLEY_REWARDS, "ScoresVoided", records.scoresVoidedSchema);
    return [...new Set(events.map((event) => event.values.round))].sort((a, b) => a - b);
  }

  // ---------------------------------------------------------------- for the writer as well

  protected async ledgerView(functionName: string, ...args: unknown[]): Promise<unknown> {
    return await this.endpoint.view({ codec: TRAINING_LEDGER, to: this.addresses.trainingLedger, functionName, args });
  }
  protected async consortiumView(functionName: string, ...args: unknown[]): Promise<unknown> {
    return await this.endpoint.view({ codec: CONSORTIUM, to: this.addresses.consortium, functionName, args });
  }
  protected async rewardsView(functionName: string, ...args: unknown[]): Promise<unknown> {
    return await this.endpoint.view({ codec: SHAPLEY_REWARDS, to: this.addresses.shapleyRewards, functionName, args });
  }

  /** Events of one round, each checked to be of that run and round. */
  protected async eventsOfRound<T extends z.ZodType<{ run: bigint; round: number }>>(
    run: bigint,
    round: number,
    deadline: Deadline,
    codec: ContractCodec,
    eventName: string,
    schema: T,
  ): Promise<ShapedEvent<z.output<T>>[]> {
    return await this.#roundEvents(run, round, await this.#round(run, round), deadline, codec, eventName, schema);
  }

  /** Events of one run, from the block it was opened in. */
  protected async eventsOfRun<T extends z.ZodType<{ run: bigint }>>(
    run: bigint,
    codec: ContractCodec,
    eventName: string,
    schema: T,
  ): Promise<ShapedEvent<z.output<T>>[]> {
    const { openedBlock } = records.shaped(records.runViewSchema, "runOf", await this.ledgerView("runOf", run));
    const events = await readEvents(this.endpoint, {
      codec,
      address: this.addressOf(codec),
      eventName,
      indexed: [run],
      fromBlock: openedBlock,
      toBlock: Number.MAX_SAFE_INTEGER,
    });
    return events.map((event) => ({ ...event, values: records.shaped(schema, eventName, event.values) }));
  }

  async #roundEvents<T extends z.ZodType<{ run: bigint; round: number }>>(
    run: bigint,
    round: number,
    view: z.output<typeof records.roundViewSchema>,
    deadline: Deadline,
    codec: ContractCodec,
    eventName: string,
    schema: T,
  ): Promise<ShapedEvent<z.output<T>>[]> {
    const events = await readEvents(this.endpoint, {
      codec,
      address: this.addressOf(codec),
      eventName,
      indexed: [run, round],
      fromBlock: view.openedBlock,
      toBlock: view[deadline],
    });
    return events.map((event) => ({ ...event, values: records.shaped(schema, eventName, event.values) }));
  }

  /** Events about attested scores come after the round is closed, so no deadline of the round bounds them. */
  async #scoreEvents<T extends z.ZodType<{ run: bigint; round: number }>>(
    run: bigint,
    round: number,
    eventName: string,
    schema: T,
  ): Promise<ShapedEvent<z.output<T>>[]> {
    const { finalisedBlock } = await this.#round(run, round);
    if (finalisedBlock === 0) return [];
    const events = await readEvents(this.endpoint, {
      codec: SHAPLEY_REWARDS,
      address: this.addressOf(SHAPLEY_REWARDS),
      eventName,
      indexed: [run, round],
      fromBlock: finalisedBlock,
      toBlock: Number.MAX_SAFE_INTEGER,
    });
    return events.map((event) => ({ ...event, values: records.shaped(schema, eventName, event.values) }));
  }

  protected addressOf(codec: ContractCodec): string {
    if (codec === TRAINING_LEDGER) return this.addresses.trainingLedger;
    if (codec === CONSORTIUM) return this.addresses.consortium;
    return codec === PROOF_OF_TRAINING ? this.addresses.proofOfTraining : this.addresses.shapleyRewards;
  }

  async #round(run: bigint, round: number): Promise<z.output<typeof records.roundViewSchema>> {
    return records.shaped(records.roundViewSchema, "roundOf", await this.ledgerView("roundOf", run, round));
  }

  async #account(run: bigint): Promise<z.output<typeof records.rewardAccountSchema>> {
    return records.shaped(records.rewardAccountSchema, "accountOf", await this.rewardsView("accountOf", run));
  }

  async #nameOf(memberId: number): Promise<string> {
    const name = this.#names.get(memberId) ?? ((await this.consortiumView("memberName", memberId)) as string);
    this.#names.set(memberId, name);
    return name;
  }

  async #paramsOf(run: bigint, digest: Hex): Promise<RunParams> {
    const known = this.#params.get(digest);
    if (known !== undefined) return known;
    const params = records.shaped(records.runParamsSchema, "paramsOf", await this.ledgerView("paramsOf", run));
    if (paramsDigest(params) !== digest) {
      throw new DecodeError(
        `The parameters of run ${run} that the chain endpoint gives do not have the digest ${digest}.`,
        { run, digest },
      );
    }
    this.#params.set(digest, params);
    return params;
  }
}

type ShapedEvent<Values> = Omit<DecodedEvent, "values"> & { readonly values: Values };

function byIndex<T extends { readonly validatorIndex: number }>(actions: readonly T[]): T[] {
  return [...actions].sort((a, b) => a.validatorIndex - b.validatorIndex);
}

function requireDistinctValidators(
  events: readonly { values: { validatorIndex: number; round: number } }[],
  validators: number,
): void {
  const indices = events.map((event) => event.values.validatorIndex);
  if (new Set(indices).size !== indices.length || indices.some((index) => index >= validators)) {
    throw new DecodeError("The chain endpoint gives two actions of one validator, or an action of none.", {
      indices,
      validators,
    });
  }
}
