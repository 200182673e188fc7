// SPDX-License-Identifier: Apache-2.0
import type { RoundResult } from "./attestation.ts";
import type { ScoreReveal } from "./attestedScores.ts";
import type { Hex } from "./bytes.ts";
import type { UpdateCommitment } from "./commitment.ts";
import type { RoundFacts } from "./schedule.ts";

/**
 * What nodes, validators and auditors read from and write to the chain. Types only; `src/chain` implements them over JSON-RPC. Everything a
 * reader returns has been decoded and range-checked, and is still only what one endpoint *says*: the audit recomputes what matters.
 */

/** Parameters of a run, as `openRun` took them. */
export interface RunParams {
  readonly recipeDigest: Hex;
  readonly recipeCid: Hex;
  readonly ruleId: Hex;
  readonly initialModelRoot: Hex;
  readonly initialCheckpointCid: Hex;
  /** Rounds to finalise before the closing round. */
  readonly rounds: number;
  readonly maxOpenings: number;
  /** K; at least the number of active members means all. */
  readonly cohort: number;
  readonly capacity: number;
  readonly minAccepted: number;
  readonly commitBlocks: number;
  readonly judgeBlocks: number;
  readonly fetchBlocks: number;
  readonly attestBlocks: number;
  readonly viewBlocks: number;
  readonly challengeBlocks: number;
  readonly alphaQ16: number;
  readonly omegaQ16: number;
  readonly verifier: string;
  readonly token: string;
  readonly pool: bigint;
  readonly disputeBond: bigint;
  readonly scoring: number;
}

export interface RunView {
  readonly run: bigint;
  readonly params: RunParams;
  readonly paramsDigest: Hex;
  readonly sponsor: string;
  readonly openedBlock: number;
  /** h of the last finalised round, or h^0. */
  readonly head: Hex;
  /** The round that made the head; 0 at genesis. */
  readonly headRound: number;
  /** Checkpoint of the head. */
  readonly modelRoot: Hex;
  readonly checkpointCid: Hex;
  /** Rounds finalised, the closing round not counted. */
  readonly finalisedRounds: number;
  /** Id of the last opened round; 0 before the first. */
  readonly lastRound: number;
  /** No further round can be opened. */
  readonly ended: boolean;
  readonly settled: boolean;
}

export interface RoundView {
  readonly run: bigint;
  readonly round: number;
  readonly closing: boolean;
  readonly facts: RoundFacts;
  /** Parent head, fixed at opening. */
  readonly head: Hex;
  /** R_{t−1}, which selected the cohort. */
  readonly beaconBefore: Hex;
  readonly rosterBlock: number;
  readonly validatorSetVersion: number;
  readonly invited: number;
  readonly commits: number;
  /** Validator indices that gave a verdict, and that attested. */
  readonly verdictBitmap: bigint;
  readonly attestedBitmap: bigint;
}

export interface ValidatorRecord {
  readonly id: number;
  readonly index: number;
  readonly signer: string;
  readonly encryptionKey: Hex;
}

export interface ValidatorSet {
  readonly version: number;
  readonly digest: Hex;
  readonly validators: readonly ValidatorRecord[];
}

export interface MemberRecord {
  readonly id: number;
  readonly signer: string;
  readonly encryptionKey: Hex;
  readonly maxSamples: number;
  readonly name: string;
}

export interface AuditorRecord {
  readonly id: number;
  readonly encryptionKey: Hex;
}

export interface CommitRecord {
  readonly commitment: UpdateCommitment;
  readonly commitIndex: number;
  readonly signature: Hex;
  readonly block: number;
}

export interface VerdictRecord {
  readonly validatorIndex: number;
  readonly validatorId: number;
  readonly bitmap: bigint;
  readonly codes: Uint8Array;
  readonly reveal: Hex;
  readonly block: number;
}

export interface AttestationRecord {
  readonly validatorIndex: number;
  readonly validatorId: number;
  readonly seal: Hex;
  readonly block: number;
}

/** Where a round's attested scores stand. */
export interface AttestedRound {
  /** Last block in which committed scores can be revealed. */
  readonly revealEnd: number;
  /** Booking is possible after this block. */
  readonly bookAfter: number;
  /** Validator indices that have revealed. */
  readonly revealed: bigint;
  readonly booked: boolean;
  /** A dispute was upheld: nothing is booked. */
  readonly voided: boolean;
}

export interface ScoreCommitmentRecord {
  readonly validatorIndex: number;
  readonly validatorId: number;
  readonly commitment: Hex;
  readonly block: number;
}

export interface ScoreRevealRecord extends ScoreReveal {
  readonly validatorIndex: number;
  readonly validatorId: number;
  readonly block: number;
}

/** What a round's attested scores came to; ids and scores of the kept updates, ascending member id. */
export interface BookedScores {
  readonly reveals: number;
  readonly memberIds: readonly number[];
  readonly scores: readonly number[];
  readonly block: number;
}

/** A Groth16 proof as the verifier contract takes it. */
export interface LossProof {
  readonly a: readonly [bigint, bigint];
  readonly b: readonly [readonly [bigint, bigint], readonly [bigint, bigint]];
  readonly c: readonly [bigint, bigint];
}

/** One committed update as `finalise` and `Finalised` list it, ascending member id. */
export interface CommittedUpdate {
  readonly memberId: number;
  readonly commitIndex: number;
  readonly artifactDigest: Hex;
  readonly artifactCid: Hex;
  readonly samples: number;
  readonly lossCommitment: bigint;
}

/** What the proposer of a round sends. */
export interface Finalisation {
  readonly kept: bigint;
  /** All committed updates, ascending member id. */
  readonly committed: readonly CommittedUpdate[];
  /** λ row by row for the accepted updates, ascending member id. */
  readonly weights: readonly number[];
  /** Scores of the accepted updates, ascending member id, units 2^-20 nats. */
  readonly scores: readonly number[];
  readonly modelRoot: Hex;
  readonly checkpointCid: Hex;
  readonly updateNormSq: bigint;
  readonly reportedLoss: number;
  readonly extension: Hex;
  /** D of the proof. */
  readonly bindingDigest: bigint;
  readonly proof: LossProof;
}

export interface FinalisedRecord {
  readonly result: RoundResult;
  readonly finalisation: Finalisation;
  readonly head: Hex;
  /** Validator indices whose seals matched T. */
  readonly agreeing: bigint;
  readonly proposer: string;
  readonly block: number;
  readonly transaction: Hex;
}

/** What the contract stores of a finalised round. */
export interface RoundRecord {
  readonly head: Hex;
  readonly modelRoot: Hex;
  readonly checkpointCid: Hex;
  readonly finalisedBlock: number;
}

/** A member's account within a run. */
export interface Standing {
  readonly memberId: number;
  readonly reputationQ16: number;
  readonly contribution: bigint;
  readonly participation: number;
  /** Paid out at settlement, units of the token. */
  readonly reward: bigint;
  readonly claimed: boolean;
}

export interface CutOff {
  readonly remainder: bigint;
  readonly memberId: number;
}

export interface SettlementRecord {
  readonly pool: bigint;
  readonly refund: bigint;
  readonly rewards: readonly { readonly memberId: number; readonly amount: bigint }[];
  readonly block: number;
}

export interface Receipt {
  readonly transaction: Hex;
  readonly block: number;
  readonly gasUsed: bigint;
}

export interface LedgerAddresses {
  readonly consortium: string;
  readonly trainingLedger: string;
  readonly proofOfTraining: string;
  readonly shapleyRewards: string;
}

export interface LedgerReader {
  readonly chainId: bigint;
  readonly addresses: LedgerAddresses;

  blockNumber(): Promise<number>;
  /** Resolves with the first block number above `block`; rejects with the signal's reason. */
  waitForBlockAfter(block: number, signal?: AbortSignal): Promise<number>;

  runView(run: bigint): Promise<RunView>;
  roundView(run: bigint, round: number): Promise<RoundView>;
  recordOf(run: bigint, round: number): Promise<RoundRecord | undefined>;

  /** The validator set of a version, from the registry. */
  validatorSet(version: number): Promise<ValidatorSet>;
  latestValidatorSetVersion(): Promise<number>;
  /** Auditors active at a block, ascending id. */
  auditorsAt(block: number): Promise<readonly AuditorRecord[]>;
  /** Ids 1…memberCount ever admitted. */
  memberCount(): Promise<number>;
  /** The member's record as of a round's roster block; undefined when it was not a member then. */
  memberInRound(run: bigint, round: number, memberId: number): Promise<MemberRecord | undefined>;
  isInvited(run: bigint, round: number, memberId: number): Promise<boolean>;
  memberIdOf(signer: string): Promise<number | undefined>;
  standingOf(run: bigint, memberId: number): Promise<Standing>;
  /** The validator's registered hash-chain end or last revealed preimage. */
  beaconTip(run: bigint, validatorId: number): Promise<Hex | undefined>;

  commits(run: bigint, round: number): Promise<readonly CommitRecord[]>;
  verdicts(run: bigint, round: number): Promise<readonly VerdictRecord[]>;
  attestations(run: bigint, round: number): Promise<readonly AttestationRecord[]>;
  finalised(run: bigint, round: number): Promise<FinalisedRecord | undefined>;
  settlement(run: bigint): Promise<SettlementRecord | undefined>;
  /** Last block of the ended run's last challenge window; `settle` is possible after it. */
  settlementBlock(run: bigint): Promise<number>;
  /** The pool that `settle` will split: what was escrowed, and bonds that fell to it. */
  settlementPool(run: bigint): Promise<bigint>;
  /** Rounds whose attested scores `settle` waits for: neither booked nor voided. */
  pendingScores(run: bigint): Promise<number>;
  /** Undefined where the round has no attested scores: exact scoring, a closing round, or not finalised. */
  attestedRound(run: bigint, round: number): Promise<AttestedRound | undefined>;
  /** What validators committed to with their seals, ascending index. */
  scoreCommitments(run: bigint, round: number): Promise<readonly ScoreCommitmentRecord[]>;
  /** What they revealed, ascending index. */
  scoreReveals(run: bigint, round: number): Promise<readonly ScoreRevealRecord[]>;
  bookedScores(run: bigint, round: number): Promise<BookedScores | undefined>;
  /** Slots of the loss circuit whose proofs a verifier contract takes; at least the capacity of the runs that use it. */
  circuitCapacity(verifier: string): Promise<number>;
  /** Rounds whose scores a dispute voided. */
  voidedRounds(run: bigint): Promise<readonly number[]>;
}

/** Transactions of one key. Every call is idempotent for its caller: repeated after a crash it succeeds or says that it was done. */
export interface LedgerWriter extends LedgerReader {
  readonly account: string;

  openRound(run: bigint): Promise<Receipt>;
  registerBeaconChain(run: bigint, end: Hex): Promise<Receipt>;
  commit(commitment: UpdateCommitment, signature: Hex): Promise<Receipt>;
  verdict(run: bigint, round: number, bitmap: bigint, codes: Uint8Array, reveal: Hex): Promise<Receipt>;
  /** @param scoreCommitment in rounds with attested scores, and only there. */
  attest(run: bigint, round: number, seal: Hex, scoreCommitment?: Hex): Promise<Receipt>;
  finalise(run: bigint, round: number, finalisation: Finalisation): Promise<Receipt>;
  revealScores(run: bigint, round: number, reveal: ScoreReveal): Promise<Receipt>;
  /** @param accepted the accepted updates, ascending member id. @param reveals all that were revealed, ascending index. */
  bookScores(
    result: RoundResult,
    accepted: readonly CommittedUpdate[],
    reveals: readonly ScoreReveal[],
  ): Promise<Receipt>;
  settle(run: bigint, contributionCutOff: CutOff, participationCutOff: CutOff): Promise<Receipt>;
  claim(run: bigint): Promise<Receipt>;
  /** EIP-712 signature of a commitment by this key. */
  signCommitment(commitment: UpdateCommitment): Promise<Hex>;
}
