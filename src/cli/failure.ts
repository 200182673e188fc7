// SPDX-License-Identifier: Apache-2.0
import { EXIT, FoedusError } from "../protocol/errors.ts";

/** What to do next, by error code, where the message itself does not say it. */
const NEXT_STEPS: Readonly<Record<string, string>> = {
  LEDGER_REVERT: "look the contract error up in docs/errors.md; `foedus run show` tells the state of the run",
  RPC_ERROR: "ask the operator of the endpoint, or use another --rpc",
  MALFORMED_INPUT:
    "the input is not what it claims to be; get it again from its source, and if an endpoint gave it, try another",
  CONTENT_NOT_FOUND: "check the store's address and peers, and that whoever has the object serves it",
  CONTENT_TOO_LARGE: "whoever serves the object is not to be trusted with it; use another store",
  CONTENT_MISMATCH: "use another store; the bytes were not what was asked for",
  STORE_UNREACHABLE: "start the store or correct --store, then run the command again",
  STORE_CLOSED: "run the command again",
  CHECKPOINT_MISMATCH: "use another store; if all give the same bytes, run `foedus audit`",
  RECIPE_MISMATCH: "use another store, or tell the run's sponsor",
  HELD_OUT_MISMATCH: "use another store, or tell the run's sponsor",
  BEACON_CHAIN_UNKNOWN: "restore the key file from its backup",
  OWN_UPDATE_INVALID: "nothing was lost; report this with the log, it is a defect or a broken engine",
  PROVER_FAILED: "look at memory and disk, then run the command again",
};

export interface Failure {
  /** One sentence, or one per fault of a configuration. */
  readonly message: string;
  readonly nextStep?: string;
  readonly exitCode: number;
}

/** What a person is told about an error, and the exit code it leads to. An error that nobody foresaw is a defect and says so. */
export function describeFailure(error: unknown): Failure {
  const unknownRun = unknownRunOf(error);
  if (unknownRun !== undefined) {
    return {
      message: `There is no run ${unknownRun} in this federation.`,
      nextStep: "correct the run's number, or the deployment",
      exitCode: EXIT.usage,
    };
  }
  if (error instanceof FoedusError) {
    const nextStep = NEXT_STEPS[error.code];
    return { message: error.message, ...(nextStep === undefined ? {} : { nextStep }), exitCode: error.exitCode };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    message: `Unexpected: ${message}`,
    nextStep: "run the command again with --verbose and report what it prints",
    exitCode: EXIT.verificationFailed,
  };
}

/** The contract's word for a wrong run number, which is the caller's to correct. */
function unknownRunOf(error: unknown): string | undefined {
  if (!(error instanceof FoedusError) || error.values.error !== "TrainingLedgerUnknownRun") return undefined;
  return String((error.values.args as { run?: unknown } | undefined)?.run);
}

/** Prints a failure on standard error. */
export function printFailure(error: unknown, { verbose }: { readonly verbose: boolean }): number {
  const { message, nextStep, exitCode } = describeFailure(error);
  process.stderr.write(`${message}\n`);
  if (nextStep !== undefined) process.stderr.write(`Next step: ${nextStep}.\n`);
  if (verbose) process.stderr.write(`\n${stackOf(error)}\n`);
  return exitCode;
}

/** The stack with those of its causes. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\nCaused by: ${stackOf(error.cause)}`;
}
