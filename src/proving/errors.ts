// SPDX-License-Identifier: Apache-2.0
import { EXIT, FoedusError } from "../protocol/errors.ts";

/** Compiled circuit or keys are missing, damaged or of another circuit. `values`: `directory`, `file`. */
export class CircuitArtifactsError extends FoedusError {
  constructor(message: string, values: { directory: string; file: string }, cause?: unknown) {
    super("CIRCUIT_ARTIFACTS", message, { exitCode: EXIT.usage, values, cause });
    this.name = "CircuitArtifactsError";
  }
}

/** A loss and salt that do not open the member's commitment. `values`: `memberId`, `lossCommitment`; never the loss. */
export class OpeningMismatchError extends FoedusError {
  constructor(memberId: number, lossCommitment: bigint) {
    super(
      "OPENING_MISMATCH",
      `The opening of member ${memberId} does not give its commitment ${lossCommitment}. Unseal its artifact again, for this run and round.`,
      { values: { memberId, lossCommitment } },
    );
    this.name = "OpeningMismatchError";
  }
}

/** The circuit refuses the input: the statement is false. `values`: `circuit`. The cause names the constraint. */
export class FalseStatementError extends FoedusError {
  constructor(circuit: string, cause: unknown) {
    super("FALSE_STATEMENT", `${circuit} refuses this input: a value is out of range or the statement is false.`, {
      values: { circuit },
      cause,
    });
    this.name = "FalseStatementError";
  }
}

/** A proof was made that does not verify; it is not returned. `values`: `circuit`. */
export class ProofRejectedError extends FoedusError {
  constructor(circuit: string) {
    super(
      "PROOF_REJECTED",
      `The proof just made with ${circuit} does not verify under its own key, so proving key, circuit and verification key do not belong together. Make them again.`,
      { values: { circuit } },
    );
    this.name = "ProofRejectedError";
  }
}

/** Proving failed for a reason outside the statement: memory, a broken file, a closed prover. */
export class ProverError extends FoedusError {
  constructor(message: string, cause?: unknown) {
    super("PROVER_FAILED", message, { cause });
    this.name = "ProverError";
  }
}
