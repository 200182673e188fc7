// SPDX-License-Identifier: Apache-2.0
import type { RoundResult } from "../../protocol/attestation.ts";
import { bindingChallenge, bindingVector } from "../../protocol/binding.ts";
import type { CommitRecord, Finalisation } from "../../protocol/ledger.ts";
import type { Decision } from "../../round/decideRound.ts";
import { proofDomain } from "../../round/runContext.ts";
import type { OpenedLoss } from "../lossProver.ts";
import type { ValidatorContext } from "../validatorContext.ts";

/** The proof of L and everything else that `finalise` takes. Only the proof is the proposer's own; the rest follows from T. */
export async function proveLoss(
  validator: ValidatorContext,
  commits: readonly CommitRecord[],
  openings: readonly OpenedLoss[],
  decision: Decision,
): Promise<Finalisation> {
  const { result } = decision;
  const started = performance.now();
  const { bindingDigest, proof } = await validator.prover.prove({
    capacity: validator.circuitCapacity,
    run: result.run,
    round: result.round,
    openings,
    challenge: (digest) => challengeOf(validator, result, openings, digest),
  });
  validator.logger.info(
    { round: result.round, proveMs: Math.floor(performance.now() - started) },
    "reported loss proven",
  );
  const committed = [...commits]
    .sort((a, b) => a.commitment.memberId - b.commitment.memberId)
    .map(({ commitment: { memberId, artifactDigest, artifactCid, samples, lossCommitment }, commitIndex }) => ({
      memberId,
      commitIndex,
      artifactDigest,
      artifactCid,
      samples,
      lossCommitment,
    }));
  return {
    kept: result.kept,
    committed,
    weights: decision.weights,
    scores: decision.scores,
    modelRoot: result.modelRoot,
    checkpointCid: result.checkpointCid,
    updateNormSq: result.updateNormSq,
    reportedLoss: result.reportedLoss,
    extension: result.extension,
    bindingDigest,
    proof,
  };
}

function challengeOf(
  validator: ValidatorContext,
  result: RoundResult,
  openings: readonly OpenedLoss[],
  digest: bigint,
): bigint {
  const { chainId, proofOfTraining } = proofDomain(validator);
  const context = {
    chainId,
    proofOfTraining,
    run: result.run,
    round: result.round,
    head: result.head,
    reportedLoss: result.reportedLoss,
  };
  return bindingChallenge(context, bindingVector(result.run, result.round, openings), digest);
}
