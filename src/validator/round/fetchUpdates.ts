// SPDX-License-Identifier: Apache-2.0
import type { ByteSource } from "../../protocol/byteSource.ts";
import { contentIdOfDigest } from "../../protocol/contentId.ts";
import type { ContentStoreFailure } from "../../protocol/contentStore.ts";
import type { CommitRecord } from "../../protocol/ledger.ts";
import { phaseEnds } from "../../protocol/schedule.ts";
import { fetchArtifact } from "../../round/fetchArtifact.ts";
import { isPast, waitForRound } from "../../round/waitForRound.ts";
import { maxArtifactBytes } from "../../update/artifact.ts";
import type { ValidatorContext, ValidatorRound } from "../validatorContext.ts";

/** What the store gave for a commit: bytes, which stay in the store, nothing, or more than any artifact may have. */
export type Fetched = { readonly commit: CommitRecord; readonly bytes?: ByteSource; readonly tooLarge?: boolean };

/** Fetches all committed artifacts from the end of committing until all are here or the run's fetch time has ended. */
export async function fetchUpdates(validator: ValidatorContext, round: ValidatorRound): Promise<Fetched[]> {
  const { ledger, run, signal, params } = validator;
  const state = await waitForRound(ledger, run, round.view.round, (current) => isPast(current, "committing"), signal);
  const commits = await ledger.commits(run, round.view.round);
  const fetchDeadline = phaseEnds(state.round.facts).commit + params.fetchBlocks;
  return fetchUntil(validator, round, commits, async (stop) => {
    let block = state.block;
    while (block < fetchDeadline) block = await ledger.waitForBlockAfter(block, stop);
  });
}

/** Fetches artifacts until all are here or `patience` resolves. Its signal tells `patience` that it is no longer needed. */
export async function fetchUntil(
  validator: ValidatorContext,
  round: ValidatorRound,
  commits: readonly CommitRecord[],
  patience: (stop: AbortSignal) => Promise<void>,
): Promise<Fetched[]> {
  const finished = new AbortController();
  const giveUp = new AbortController();
  const stop = AbortSignal.any([validator.signal, finished.signal]);
  const waiting = patience(stop).then(
    () => giveUp.abort(),
    () => giveUp.abort(),
  );
  const { recipe, layout } = validator;
  const maxBytes = maxArtifactBytes({
    codec: recipe.update.codec,
    layout,
    recipients: round.recipients.keys.length,
  });
  const fetchSignal = AbortSignal.any([validator.signal, giveUp.signal]);
  const fetched = await Promise.all(commits.map((commit) => fetchOne(validator, commit, maxBytes, fetchSignal)));
  finished.abort();
  await waiting;
  validator.signal.throwIfAborted();
  return fetched;
}

async function fetchOne(
  validator: ValidatorContext,
  commit: CommitRecord,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Fetched> {
  const id = contentIdOfDigest(commit.commitment.artifactCid);
  for (;;) {
    try {
      return { commit, bytes: await fetchArtifact(validator.store, id, { maxBytes, signal, timeoutMs: 86_400_000 }) };
    } catch (error) {
      if ((error as ContentStoreFailure).code === "CONTENT_TOO_LARGE") return { commit, tooLarge: true };
      if (signal.aborted) return { commit };
      // A peer that lied about the bytes, or a store that gave up early: there is still time, and other peers.
      validator.logger.debug({ member: commit.commitment.memberId, error: String(error) }, "fetching again");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
