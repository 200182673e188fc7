// SPDX-License-Identifier: Apache-2.0
import { measured, measuredLedger } from "../../process/measure.ts";
import { runStatus } from "../../process/runStatus.ts";
import type { Describe, StatusBoard } from "../../process/statusBoard.ts";
import type { ValidatorContext } from "../validatorContext.ts";

/** How a validator stands: the run, who it is, and who has acted in the open round. */
export function validatorStatus(validator: ValidatorContext, validatorId: number, board: StatusBoard): Describe {
  return async () => {
    const { ledger, run } = validator;
    const status = await runStatus(ledger, run, board.metrics);
    const round = status.round === 0 ? undefined : await ledger.roundView(run, status.round);
    return {
      ...status,
      recipe: validator.recipe.name,
      validator: validatorId,
      account: ledger.account,
      ...(round === undefined
        ? {}
        : {
            invited: round.invited,
            commits: round.commits,
            validators: round.facts.validators,
            verdicts: round.facts.verdicts,
            attestations: round.facts.attestations,
          }),
    };
  };
}

/** The same validator, with its transactions, refusals and proofs counted. */
export function measuredValidator(validator: ValidatorContext, { metrics }: StatusBoard): ValidatorContext {
  const { prover } = validator;
  return {
    ...validator,
    ledger: measuredLedger(validator.ledger, metrics),
    prover: { prove: measured("proof", (statement) => prover.prove(statement), metrics) },
  };
}
