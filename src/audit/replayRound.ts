// SPDX-License-Identifier: Apache-2.0
import { referenceKernels } from "../aggregation/reference/referenceKernels.ts";
import { roundHead, scoresDigest } from "../protocol/attestation.ts";
import { bindingChallenge, bindingDigest, bindingVector, evaluateBinding } from "../protocol/binding.ts";
import { bitsOf, hasBit } from "../protocol/bitmap.ts";
import { contentIdOfDigest, digestOfContentId } from "../protocol/contentId.ts";
import type { CommitRecord, CommittedUpdate, FinalisedRecord, RoundView } from "../protocol/ledger.ts";
import { reportedLoss } from "../protocol/reportedLoss.ts";
import { validatorSetDigest } from "../protocol/runParams.ts";
import type { VerifiedArtifact } from "../protocol/verifiedUpdate.ts";
import { artifactContext } from "../round/artifactContext.ts";
import { type Decision, decideRound } from "../round/decideRound.ts";
import { fetchArtifact } from "../round/fetchArtifact.ts";
import { fetchCheckpoint } from "../round/fetchCheckpoint.ts";
import { type Recipients, recipientsOf } from "../round/recipients.ts";
import { proofDomain } from "../round/runContext.ts";
import { maxArtifactBytes } from "../update/artifact.ts";
import { verifyArtifact } from "../update/verifyArtifact.ts";
import type { Replay } from "./auditContext.ts";
import { checkCommits } from "./checks/checkCommits.ts";
import { checkSeals } from "./checks/checkSeals.ts";
import { checkQuorumOfVerdicts, checkReveals } from "./checks/checkVerdicts.ts";
import { FalseLink, type Link, requireEqual } from "./links.ts";

/** What replaying one finalised round established. */
export interface ReplayedRound {
  readonly round: number;
  readonly closing: boolean;
  readonly record: FinalisedRecord;
  readonly decision: Decision;
  /** Whether the losses were opened here, or the quorum and the proof stand for L. */
  readonly lossesOpened: boolean;
}

/**
 * Steps 4–8 of a finalised round, repeated from chain and store (design §4.11). Reports every check it can go on from, with its false link if
 * it has one; throws the first false link that leaves nothing to go on with. On success the replay's parent is this round.
 */
export async function replayRound(
  replay: Replay,
  round: RoundView,
  record: FinalisedRecord,
  report: (failure: FalseLink | undefined) => void,
): Promise<ReplayedRound> {
  const { ledger } = replay.sources;
  const attempt = async (check: () => void | Promise<void>): Promise<void> => {
    try {
      await check();
      report(undefined);
    } catch (error) {
      if (!(error instanceof FalseLink)) throw error;
      report(error);
    }
  };
  const { result } = record;
  const recipients = await recipientsOf(ledger, round);
  const set = recipients.validatorSet;

  await attempt(() => checkLineage(replay, round, record));
  await attempt(() => {
    requireEqual(
      "validatorSet",
      "The digest of the validator set",
      set.digest,
      validatorSetDigest(replay.chainId, replay.addresses.consortium, set.version, set.validators),
    );
  });
  const commits = await ledger.commits(round.run, round.round);
  await attempt(() => checkCommits(replay, ledger, round, commits, replay.sources.recoverSigner));
  const verdicts = await ledger.verdicts(round.run, round.round);
  const accepted = checkQuorumOfVerdicts(round, replay.params.minAccepted, set, verdicts);
  await attempt(() => requireEqual("accepted", "The accepted set", result.accepted, accepted));
  await attempt(() => requireEqual("beacon", "R_{t−1}", round.beaconBefore, replay.beacon));
  // The recorded beacon is bound by h^t, so a false reveal is one false link and not a different round.
  replay.beacon = result.beacon;
  await attempt(() => requireEqual("beacon", "R_t", result.beacon, checkReveals(round, set, verdicts, replay.tips)));

  const updates = await openUpdates(replay, round, recipients, commits, accepted);
  const lossesOpened = updates.every(({ verified }) => verified.opening !== undefined);
  const decision = await decideRound(
    replay,
    { kernels: referenceKernels, ...(replay.scorer === undefined ? {} : { scorer: replay.scorer }) },
    {
      round: round.round,
      closing: round.closing,
      head: round.head,
      parent: replay.parent.model,
      parentModelRoot: replay.parent.modelRoot,
      parentCheckpointCid: replay.parent.checkpointCid,
      accepted,
      beacon: result.beacon,
      updates,
      reputations: updates.map(({ commit }) => replay.standings.of(commit.commitment.memberId).reputationQ16),
      reportedLoss: lossesOpened
        ? reportedLoss(
            updates.map(({ verified }) => ({ samples: verified.samples, loss: verified.opening?.loss ?? 0 })),
          )
        : result.reportedLoss,
    },
    async (file) => digestOfContentId(await replay.sources.store.cidOf(file)),
  );
  for (const check of comparisons(decision, record)) await attempt(check);
  // A closing round has its parent's checkpoint, which was read with the parent.
  if (!round.closing) await attempt(() => checkStoredCheckpoint(replay, record));
  await attempt(async () =>
    checkSeals(proofDomain(replay), round, set, await ledger.attestations(round.run, round.round), record),
  );
  await attempt(() => checkListedUpdates(record, commits));
  await attempt(() =>
    checkProof(
      replay,
      record,
      updates.map(({ commit }) => commit),
    ),
  );
  await attempt(() => checkHead(replay, record, set.digest));

  replay.parent = {
    head: record.head,
    modelRoot: decision.result.modelRoot,
    checkpointCid: decision.result.checkpointCid,
    model: decision.model,
  };
  return { round: round.round, closing: round.closing, record, decision, lossesOpened };
}

function checkLineage(replay: Replay, round: RoundView, { result }: FinalisedRecord): void {
  requireEqual("lineage", "The parent in the record", result.head, replay.parent.head);
  requireEqual("lineage", "The parent of the round", round.head, replay.parent.head);
  requireEqual("lineage", "The round of the record", result.round, round.round);
}

/** What a failed round leaves behind: revealed links and the beacon that follows from them. */
export async function replayFailedRound(replay: Replay, round: RoundView): Promise<void> {
  requireEqual("beacon", "R_{t−1}", round.beaconBefore, replay.beacon);
  requireEqual("lineage", "The parent of the round", round.head, replay.parent.head);
  const { ledger } = replay.sources;
  const [verdicts, set] = await Promise.all([
    ledger.verdicts(round.run, round.round),
    ledger.validatorSet(round.validatorSetVersion),
  ]);
  replay.beacon = checkReveals(round, set, verdicts, replay.tips);
}

/** Fetches and verifies the bytes behind every accepted commit. */
async function openUpdates(
  replay: Replay,
  round: RoundView,
  recipients: Recipients,
  commits: readonly CommitRecord[],
  bitmap: bigint,
): Promise<{ commit: CommitRecord; verified: VerifiedArtifact }[]> {
  const { store, key, fetchTimeoutMs } = replay.sources;
  const place = key === undefined ? -1 : recipients.keys.indexOf(key.publicKey);
  const recipient = key === undefined || place < 0 ? undefined : { index: place, privateKey: key.privateKey };
  const context = artifactContext(
    replay,
    { closing: round.closing, recipients, master: replay.parent.model.master },
    recipient,
  );
  const maxBytes = maxArtifactBytes({
    codec: context.codec,
    layout: replay.layout,
    recipients: recipients.keys.length,
  });
  const accepted = commits
    .filter(({ commitIndex }) => hasBit(bitmap, commitIndex))
    .sort((a, b) => a.commitment.memberId - b.commitment.memberId);
  const wanted = bitsOf(bitmap).length;
  if (accepted.length !== wanted)
    throw new FalseLink(
      "commitment",
      `${wanted} updates were accepted; the commits of ${accepted.length} are recorded.`,
    );
  const fetched = await Promise.all(
    accepted.map(async (commit) => {
      const who = `The update of member ${commit.commitment.memberId}`;
      const id = contentIdOfDigest(commit.commitment.artifactCid);
      const bytes = await fetchArtifact(store, id, { maxBytes, timeoutMs: fetchTimeoutMs }).catch((cause: unknown) => {
        throw new FalseLink(
          "artifact",
          `${who} was accepted and cannot be read from the store: ${messageOf(cause)}`,
          cause,
        );
      });
      return { commit, bytes, who };
    }),
  );
  const updates: { commit: CommitRecord; verified: VerifiedArtifact }[] = [];
  for (const { commit, bytes, who } of fetched) {
    const verified = await verifyArtifact(bytes, commit.commitment, context);
    if ("code" in verified) throw new FalseLink("artifact", `${who} was accepted and is ${verified.name}.`);
    updates.push({ commit, verified });
  }
  return updates;
}

/** The recomputed decision against the record, value by value, so that the false link is named and not only a different hash. */
function comparisons(
  { result, weights, scores }: Decision,
  { result: recorded, finalisation }: FinalisedRecord,
): (() => void)[] {
  const equal = (link: Link, what: string, actual: unknown, expected: unknown) => () =>
    requireEqual(link, what, actual, expected);
  return [
    equal("aggregate", "The kept set", describeBitmap(recorded.kept), describeBitmap(result.kept)),
    equal("aggregate", "The weights", finalisation.weights.join(), weights.join()),
    equal("checkpoint", "The model root", recorded.modelRoot, result.modelRoot),
    equal("checkpoint", "The checkpoint's CID", recorded.checkpointCid, result.checkpointCid),
    equal("checkpoint", "The squared update norm", recorded.updateNormSq, result.updateNormSq),
    equal("scores", "The scores", finalisation.scores.join(), scores.join()),
    equal("scores", "The scores' digest", recorded.scoresDigest, scoresDigest(scores)),
    equal("participants", "The participants' root", recorded.participantsRoot, result.participantsRoot),
    equal("reportedLoss", "L", recorded.reportedLoss, result.reportedLoss),
  ];
}

/** The finalisation lists every commit, ascending member id: reputations and contributions are booked by this list. */
function checkListedUpdates({ finalisation }: FinalisedRecord, commits: readonly CommitRecord[]): void {
  const committed = [...commits].sort((a, b) => a.commitment.memberId - b.commitment.memberId);
  requireEqual(
    "records",
    "The finalisation's list of updates",
    finalisation.committed.map(describeUpdate).join(),
    committed.map(({ commitment, commitIndex }) => describeUpdate({ ...commitment, commitIndex })).join(),
  );
}

function describeUpdate(update: CommittedUpdate): string {
  const { memberId, commitIndex, artifactDigest, artifactCid, samples, lossCommitment } = update;
  return [memberId, commitIndex, artifactDigest, artifactCid, samples, lossCommitment].join(" ");
}

/** Whether the store has the recorded checkpoint: the bytes, not only the name. */
async function checkStoredCheckpoint(replay: Replay, { result }: FinalisedRecord): Promise<void> {
  try {
    await fetchCheckpoint(replay.sources.store, result, replay, { timeoutMs: replay.sources.fetchTimeoutMs });
  } catch (cause) {
    throw new FalseLink("checkpoint", `The checkpoint cannot be read from the store: ${messageOf(cause)}`, cause);
  }
}

async function checkProof(
  replay: Replay,
  { result, finalisation }: FinalisedRecord,
  accepted: readonly CommitRecord[],
): Promise<void> {
  const vector = bindingVector(
    result.run,
    result.round,
    accepted.map(({ commitment }) => commitment),
  );
  requireEqual("proof", "D", finalisation.bindingDigest, bindingDigest(replay.circuitCapacity, vector));
  const challenge = bindingChallenge(
    {
      ...proofDomain(replay),
      run: result.run,
      round: result.round,
      head: result.head,
      reportedLoss: result.reportedLoss,
    },
    vector,
    finalisation.bindingDigest,
  );
  const publicSignals = [
    finalisation.bindingDigest,
    challenge,
    evaluateBinding(vector, challenge),
    BigInt(result.reportedLoss),
  ] as const;
  if (
    !(await replay.sources.verifyLossProof({
      capacity: replay.circuitCapacity,
      proof: finalisation.proof,
      publicSignals,
    }))
  ) {
    throw new FalseLink("proof", "The recorded proof does not hold for the recorded L and the committed losses.");
  }
}

async function checkHead(replay: Replay, record: FinalisedRecord, setDigest: `0x${string}`): Promise<void> {
  const { ruleId } = replay.params;
  requireEqual(
    "head",
    "h^t",
    record.head,
    roundHead(
      record.result,
      { validatorSetDigest: setDigest, ruleId, paramsDigest: replay.paramsDigest },
      proofDomain(replay),
    ),
  );
  const stored = await replay.sources.ledger.recordOf(replay.run, record.result.round);
  requireEqual("head", "The head that the contract stores", stored?.head, record.head);
}

function describeBitmap(bitmap: bigint): string {
  return `{${bitsOf(bitmap).join(", ")}}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
