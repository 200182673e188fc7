// SPDX-License-Identifier: Apache-2.0

import type { ChainEndpoint } from "../chain/chainEndpoint.ts";
import { gasOfCalls } from "../chain/traffic.ts";
import { agreedLoss } from "../learning/agreedLoss.ts";
import { accuracy } from "../learning/evaluate.ts";
import { hasBit } from "../protocol/bitmap.ts";
import { contentIdOfDigest } from "../protocol/contentId.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import { MASTER_EXTRA_BITS, powerOfTwo, splitMaster } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import type { FinalisedRecord, LedgerReader, RoundView, VerdictRecord } from "../protocol/ledger.ts";
import { refusalName } from "../protocol/refusals.ts";
import { phaseEnds } from "../protocol/schedule.ts";
import type { RoundReport, UpdateReport } from "../report/runReport.ts";
import { fetchCheckpoint } from "../round/fetchCheckpoint.ts";
import { recipientsOf } from "../round/recipients.ts";
import type { RunContext } from "../round/runContext.ts";
import type { Scorer } from "../round/scoreUpdates.ts";
import { roundState } from "../round/waitForRound.ts";
import { maxArtifactBytes } from "../update/artifact.ts";

/** Where a page about a run gets its facts. */
export interface RunObserver extends RunContext {
  readonly endpoint: ChainEndpoint;
  readonly ledger: LedgerReader;
  readonly store: ContentStore;
  /** Left out: rounds are described without accuracy and loss. */
  readonly scorer?: Scorer;
}

/** One that can evaluate models. */
export type EvaluatingObserver = RunObserver & { readonly scorer: Scorer };

/** Accuracy and loss on the public held-out set of a checkpoint. */
export async function evaluateCheckpoint(
  observer: EvaluatingObserver,
  checkpoint: { checkpointCid: `0x${string}`; modelRoot: `0x${string}` },
): Promise<{ accuracy: number; loss: number }> {
  const { master } = await fetchCheckpoint(observer.store, checkpoint, observer, { timeoutMs: 30_000 });
  const { model, heldOut } = observer.scorer;
  const parameters = splitMaster(master, observer.layout).view.subarray(0, model.parameterCount);
  return {
    accuracy: await accuracy(model, parameters, heldOut),
    loss: Number(await agreedLoss(model, parameters, heldOut)) / 1_048_576,
  };
}

/** A closed round as a page shows it. */
export async function observeRound(observer: RunObserver, round: number, seconds: number): Promise<RoundReport> {
  const { ledger, run } = observer;
  const { round: view, phase, failure } = await roundState(ledger, run, round);
  const verdicts = await ledger.verdicts(run, round);
  const record = await ledger.finalised(run, round);
  const updates = await describeUpdates(observer, view, verdicts, record);
  const validators = Array.from({ length: view.facts.validators }, (_, index) => ({
    index,
    verdict: hasBit(view.verdictBitmap, index),
    attested: hasBit(view.attestedBitmap, index),
    agreed: record !== undefined && hasBit(record.agreeing, index),
  }));
  const common = { round, closing: view.closing, updates, validators, seconds };
  if (record === undefined) return { ...common, outcome: "failed", failure: failure ?? phase };

  const { result } = record;
  const { validators: set } = await ledger.validatorSet(view.validatorSetVersion);
  const proposer = set.find(({ signer }) => signer.toLowerCase() === record.proposer.toLowerCase());
  const calls = await gasOfCalls(observer.endpoint, observer.addresses, view.facts.openedBlock, record.block);
  const { scorer } = observer;
  const evaluation =
    view.closing || scorer === undefined ? undefined : await evaluateCheckpoint({ ...observer, scorer }, result);
  return {
    ...common,
    outcome: "finalised",
    head: record.head,
    checkpointCid: contentIdOfDigest(result.checkpointCid),
    modelRoot: result.modelRoot,
    gas: calls.reduce((sum, { gasUsed }) => sum + gasUsed, 0),
    view: Math.floor((record.block - phaseEnds(view.facts).attest) / observer.params.viewBlocks),
    reportedLoss: result.reportedLoss / 65_536,
    updateNorm:
      Math.sqrt(Number(result.updateNormSq)) * powerOfTwo(-(observer.layout.maxFractionBits + MASTER_EXTRA_BITS)),
    ...(proposer === undefined ? {} : { proposer: proposer.index, proposerId: proposer.id }),
    ...(evaluation === undefined ? {} : { accuracy: evaluation.accuracy, heldOutLoss: evaluation.loss }),
  };
}

async function describeUpdates(
  observer: RunObserver,
  view: RoundView,
  verdicts: readonly VerdictRecord[],
  record: FinalisedRecord | undefined,
): Promise<UpdateReport[]> {
  const commits = [...(await observer.ledger.commits(view.run, view.round))].sort(
    (a, b) => a.commitment.memberId - b.commitment.memberId,
  );
  const recipients = (await recipientsOf(observer.ledger, view)).keys.length;
  const maxBytes = maxArtifactBytes({ codec: observer.recipe.update.codec, layout: observer.layout, recipients });
  const accepted = commits.filter(
    ({ commitIndex }) => record !== undefined && hasBit(record.result.accepted, commitIndex),
  );
  return Promise.all(
    commits.map(async (commit): Promise<UpdateReport> => {
      const { commitIndex, commitment } = commit;
      const yes = verdicts.filter(({ bitmap }) => hasBit(bitmap, commitIndex)).length;
      const position = accepted.indexOf(commit);
      const kept = record !== undefined && hasBit(record.result.kept, commitIndex);
      const refusal = position < 0 ? mostFrequentCode(verdicts, commitIndex) : undefined;
      const bytes =
        position < 0
          ? undefined
          : await observer.store.get(contentIdOfDigest(commitment.artifactCid), { maxBytes, timeoutMs: 10_000 }).then(
              ({ length }) => length,
              () => undefined,
            );
      return {
        memberId: commitment.memberId,
        outcome: position < 0 ? "refused" : kept || view.closing ? "kept" : "not kept",
        ...(refusal === undefined ? {} : { refusal }),
        yes,
        samples: commitment.samples,
        weight:
          record === undefined || position < 0 ? 0 : weightOf(position, record.finalisation.weights, observer.layout),
        score: position < 0 ? 0 : (record?.finalisation.scores[position] ?? 0) / 1_048_576,
        artifactCid: contentIdOfDigest(commitment.artifactCid),
        ...(bytes === undefined ? {} : { bytes }),
      };
    }),
  );
}

/** λ of an update, 0 … 1; of several columns the mean over the model's coordinates. */
function weightOf(row: number, weights: readonly number[], { tensors, groups, size }: ModelLayout): number {
  const total = tensors.reduce((sum, tensor) => sum + tensor.size * (weights[row * groups + tensor.group] ?? 0), 0);
  return total / (size * 65_536);
}

/** The code most validators gave for a refused update; of equally many the smaller code. */
function mostFrequentCode(
  verdicts: readonly VerdictRecord[],
  commitIndex: number,
): { code: string; votes: number } | undefined {
  const votes = new Map<number, number>();
  for (const { codes } of verdicts) {
    const code = codes[commitIndex] ?? 0;
    if (code !== 0) votes.set(code, (votes.get(code) ?? 0) + 1);
  }
  const [first] = [...votes].sort(([codeA, a], [codeB, b]) => b - a || codeA - codeB);
  return first === undefined ? undefined : { code: refusalName(first[0]), votes: first[1] };
}
