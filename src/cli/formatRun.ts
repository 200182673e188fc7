// SPDX-License-Identifier: Apache-2.0
import type { ObservedRun } from "./observeRun.ts";
import { formatTable } from "./print.ts";

/** A run for people. */
export function formatRun(run: ObservedRun): string {
  const state = run.settled
    ? "settled"
    : run.ended
      ? "ended, not settled yet"
      : `${run.finalisedRounds} of ${run.wantedRounds} rounds finalised`;
  const rounds = run.rounds.map((round) => [
    String(round.round),
    `${round.phase}${round.failure === undefined ? "" : ` (${round.failure})`}${round.closing ? ", closing" : ""}`,
    `${round.commits} of ${round.invited}`,
    `${round.verdicts} of ${round.validators}`,
    String(round.accepted),
    `${round.attestations} of ${round.validators}`,
    round.kept === undefined ? "" : String(round.kept),
    round.reportedLoss === undefined ? "" : round.reportedLoss.toFixed(4),
  ]);
  const members = run.members.map((member) => [
    String(member.memberId),
    member.name,
    member.reputation.toFixed(3),
    member.contribution.toFixed(4),
    String(member.participation),
    run.settled ? member.reward.toString() : "",
    run.settled && member.reward > 0n ? (member.claimed ? "claimed" : "unclaimed") : "",
  ]);
  return [
    `Run ${run.run} on chain ${run.chainId} at block ${run.block}: ${state}`,
    `head   ${run.head} (${run.headRound === 0 ? "genesis" : `round ${run.headRound}`})`,
    `model  ${run.modelCid}`,
    `pool   ${run.pool}`,
    "",
    rounds.length === 0
      ? "No round was opened yet."
      : formatTable(["round", "phase", "commits", "verdicts", "accepted", "seals", "kept", "loss (nats)"], rounds),
    "",
    members.length === 0
      ? "No member was admitted yet."
      : formatTable(["member", "name", "reputation", "score (nats)", "rounds", "reward", ""], members),
  ].join("\n");
}
