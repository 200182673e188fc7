// SPDX-License-Identifier: Apache-2.0
import { fromHex } from "../../protocol/bytes.ts";
import { commitmentDigest } from "../../protocol/commitment.ts";
import type { CommitRecord, LedgerReader, RoundView } from "../../protocol/ledger.ts";
import type { RunContext } from "../../round/runContext.ts";
import { FalseLink } from "../links.ts";

/** Recovers the signer of a digest; undefined for a malformed signature. Implemented by `src/chain`. */
export type RecoverSigner = (digest: Uint8Array, signature: Uint8Array) => string | undefined;

/** Signature, membership, invitation, samples, indices: everything a commit claims. */
export async function checkCommits(
  context: RunContext,
  ledger: LedgerReader,
  round: RoundView,
  commits: readonly CommitRecord[],
  recoverSigner: RecoverSigner,
): Promise<void> {
  if (commits.length !== round.commits)
    throw new FalseLink("commitment", `The round has ${round.commits} commits; ${commits.length} are recorded.`);
  const members = new Set<number>();
  for (const [position, { commitment, commitIndex, signature }] of commits.entries()) {
    const who = `Commit ${commitIndex} of member ${commitment.memberId}`;
    const fail = (detail: string): never => {
      throw new FalseLink("commitment", `${who}: ${detail}`);
    };
    if (commitIndex !== position) fail(`stands at position ${position}.`);
    if (members.has(commitment.memberId)) fail("is the member's second in this round.");
    members.add(commitment.memberId);
    if (commitment.run !== round.run || commitment.round !== round.round || commitment.head !== round.head)
      fail("is for another round or head.");
    const member = await ledger.memberInRound(round.run, round.round, commitment.memberId);
    if (member === undefined) return fail("is by nobody who was a member of the round.");
    if (commitment.samples < 1 || commitment.samples > member.maxSamples)
      fail(`states ${commitment.samples} samples; the member's maximum is ${member.maxSamples}.`);
    const signer = recoverSigner(
      commitmentDigest(commitment, context.chainId, context.addresses.trainingLedger),
      fromHex(signature),
    );
    if (signer?.toLowerCase() !== member.signer.toLowerCase())
      fail(`was signed by ${signer ?? "nobody"}; the member's key of the round is ${member.signer}.`);
    if (!(await ledger.isInvited(round.run, round.round, commitment.memberId)))
      fail("is by a member that was not invited.");
  }
}
