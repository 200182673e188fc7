// SPDX-License-Identifier: Apache-2.0
import { bindingDigest, bindingVector, CapacityExceededError, evaluateBinding } from "../protocol/binding.ts";
import type { LossProof } from "../protocol/ledger.ts";
import { lossCommitment } from "../protocol/lossCommitment.ts";
import { reportedLoss } from "../protocol/reportedLoss.ts";
import { type CircuitArtifacts, loadCircuitArtifacts, reportedLossCircuit } from "./circuitArtifacts.ts";
import { FalseStatementError, OpeningMismatchError, ProofRejectedError, ProverError } from "./errors.ts";
import { ProverPool } from "./proverPool.ts";
import type { ReportedLossSignals } from "./verifyReportedLoss.ts";

/** The opened loss of one accepted update. */
export interface LossSlot {
  readonly memberId: number;
  /** n, as signed in the commitment; at least 1. */
  readonly samples: number;
  readonly lossCommitment: bigint;
  /** uint32, units of 2^-16 nats. */
  readonly loss: number;
  readonly salt: bigint;
}

/** What is to be proven. */
export interface ReportedLossStatement {
  /** Slots of the circuit: 8 or 32, fixed by the run's verifier. */
  readonly capacity: number;
  readonly run: bigint;
  readonly round: number;
  /** The accepted updates, ascending memberId: the order in which the contract builds v. */
  readonly openings: readonly LossSlot[];
  /** r as a function of D; see `bindingChallenge` in src/protocol/binding.ts. */
  challenge(bindingDigest: bigint): bigint;
}

/** A verified proof with the values it speaks of. */
export interface ReportedLossProof {
  /** D. */
  readonly bindingDigest: bigint;
  /** r. */
  readonly challenge: bigint;
  /** E. */
  readonly evaluation: bigint;
  /** L, uint32 in units of 2^-16 nats. */
  readonly reportedLoss: number;
  /** D, r, E, L. */
  readonly publicSignals: ReportedLossSignals;
  readonly proof: LossProof;
}

/** Options of a prover. */
export interface ReportedLossProverOptions {
  /** Folder with one folder of circuit and keys for each instance. Default: build/circuits, the development keys. */
  readonly artifactsDirectory?: string | undefined;
  /** Proofs made at once, one core each. */
  readonly threads?: number | undefined;
}

/** Proves reported losses in threads of its own; the caller's thread only hashes. */
export class ReportedLossProver {
  readonly #pool: ProverPool;
  readonly #artifactsDirectory: string | undefined;
  readonly #artifacts = new Map<string, Promise<CircuitArtifacts>>();

  constructor({ artifactsDirectory, threads }: ReportedLossProverOptions = {}) {
    this.#pool = new ProverPool({ threads });
    this.#artifactsDirectory = artifactsDirectory;
  }

  /**
   * The proof for a statement, verified before it is returned. The statement is judged in plain arithmetic first, so that a wrong opening
   * is named by its member and not by a constraint.
   *
   * @throws CapacityExceededError more openings than slots.
   * @throws OpeningMismatchError an opening that does not give its commitment.
   * @throws FieldRangeError a value that does not fit its type; RangeError when there are no samples.
   * @throws CircuitArtifactsError circuit or keys of this capacity are missing or damaged.
   * @throws FalseStatementError the circuit refuses the input (it agrees with the checks before, so this is a defect).
   * @throws ProofRejectedError the proof does not verify. @throws ProverError the machine failed.
   */
  async prove(statement: ReportedLossStatement): Promise<ReportedLossProof> {
    const { capacity, openings } = statement;
    if (openings.length > capacity) throw new CapacityExceededError(openings.length, capacity);
    requireOpenings(statement);
    const vector = bindingVector(statement.run, statement.round, openings);
    const digest = bindingDigest(capacity, vector);
    const challenge = statement.challenge(digest);
    const evaluation = evaluateBinding(vector, challenge);
    const loss = reportedLoss(openings);
    const expected: ReportedLossSignals = [digest, challenge, evaluation, BigInt(loss)];

    const circuit = reportedLossCircuit(capacity);
    const { wasm, zkey, verificationKey } = await this.#load(circuit);
    const answer = await this.#pool.run({ wasm, zkey, verificationKey, input: circuitInput(statement, expected) });
    if ("failed" in answer) {
      if (answer.failed === "witness") throw new FalseStatementError(circuit, answer.cause);
      if (answer.failed === "verify" && answer.cause === undefined) throw new ProofRejectedError(circuit);
      throw new ProverError(`${circuit}: proving failed while the ${answer.failed} step ran.`, answer.cause);
    }
    // A key of another circuit with as many public signals would give a valid proof of something else.
    if (!expected.every((value, i) => answer.publicSignals[i] === value)) throw new ProofRejectedError(circuit);
    return {
      bindingDigest: digest,
      challenge,
      evaluation,
      reportedLoss: loss,
      publicSignals: expected,
      proof: answer.proof,
    };
  }

  /** Ends the threads. A prover that is idle does not keep the process alive, so this is for tests and long-lived processes. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  #load(circuit: string): Promise<CircuitArtifacts> {
    let artifacts = this.#artifacts.get(circuit);
    if (artifacts === undefined) {
      artifacts = loadCircuitArtifacts(circuit, this.#artifactsDirectory);
      // A failure is not kept: the operator may build the circuits and try again.
      artifacts.catch(() => this.#artifacts.delete(circuit));
      this.#artifacts.set(circuit, artifacts);
    }
    return artifacts;
  }
}

let shared: ReportedLossProver | undefined;

/** Proves with the process's shared prover and the default keys. For other keys or limits make a `ReportedLossProver`. */
export function proveReportedLoss(statement: ReportedLossStatement): Promise<ReportedLossProof> {
  shared ??= new ReportedLossProver();
  return shared.prove(statement);
}

function requireOpenings({ run, round, openings }: ReportedLossStatement): void {
  for (const opening of openings) {
    if (lossCommitment({ run, round, ...opening }) !== opening.lossCommitment) {
      throw new OpeningMismatchError(opening.memberId, opening.lossCommitment);
    }
  }
}

/** Inputs of circuits/aggregate/reportedLoss.circom by name; slots that are not used are 0. */
export function circuitInput(
  { capacity, run, round, openings }: Omit<ReportedLossStatement, "challenge">,
  [digest, challenge, evaluation, loss]: ReportedLossSignals,
): Record<string, bigint | bigint[]> {
  const column = (value: (slot: LossSlot) => bigint): bigint[] =>
    Array.from({ length: capacity }, (_, i) => {
      const slot = openings[i];
      return slot === undefined ? 0n : value(slot);
    });
  return {
    digest,
    challenge,
    evaluation,
    reportedLoss: loss,
    run,
    round: BigInt(round),
    memberId: column((slot) => BigInt(slot.memberId)),
    samples: column((slot) => BigInt(slot.samples)),
    loss: column((slot) => BigInt(slot.loss)),
    salt: column((slot) => slot.salt),
  };
}
