// SPDX-License-Identifier: Apache-2.0
import type { RoundReport, RunReport, UpdateReport } from "./runReport.ts";

/** A round together with what its place in the run says about it. */
export interface PlacedRound {
  readonly report: RoundReport;
  /** Column on the page's time axis; 0 is the genesis. */
  readonly column: number;
  /** Round whose head is this round's parent (lineage runs over finalised rounds only); 0 is the genesis. */
  readonly parentRound: number;
  readonly parentHead: string;
}

/** The run's rounds, each with its parent: the last finalised round before it. */
export function placeRounds(report: RunReport): readonly PlacedRound[] {
  let parentRound = 0;
  let parentHead = report.genesis.head;
  return report.rounds.map((round, index) => {
    const placed = { report: round, column: index + 1, parentRound, parentHead };
    if (round.outcome === "finalised" && round.head !== undefined) {
      parentRound = round.round;
      parentHead = round.head;
    }
    return placed;
  });
}

/** The run's last head: of the last finalised round, the closing round included, or the genesis. */
export function currentHead(report: RunReport): { readonly round: number; readonly head: string } {
  const last = report.rounds.findLast((round) => round.outcome === "finalised" && round.head !== undefined);
  return { round: last?.round ?? 0, head: last?.head ?? report.genesis.head };
}

/** Whether a round made a model of its own: finalised and not closing. */
export function madeModel(round: RoundReport): boolean {
  return round.outcome === "finalised" && !round.closing;
}

/** A member as the page names it: from the report, or by id alone where a round knows an id that the members' list does not. */
export interface NamedMember {
  readonly id: number;
  readonly name: string;
}

/** All members, those known only from rounds after the others. */
export function namedMembers(report: RunReport): readonly NamedMember[] {
  const known = new Set(report.members.map((member) => member.id));
  const strangers = new Set(
    report.rounds.flatMap((round) => round.updates.map((update) => update.memberId)).filter((id) => !known.has(id)),
  );
  return [
    ...report.members.map(({ id, name }) => ({ id, name })),
    ...[...strangers].sort((a, b) => a - b).map((id) => ({ id, name: `Member ${id}` })),
  ];
}

/** Largest weight any kept update had, the measure of the others; 1 where there is none. */
export function largestWeight(report: RunReport): number {
  const weights = report.rounds.flatMap((round) =>
    round.updates.filter((update) => update.outcome === "kept").map((update) => update.weight),
  );
  return weights.reduce((largest, weight) => Math.max(largest, weight), 0) || 1;
}

export function updateOf(round: RoundReport, memberId: number): UpdateReport | undefined {
  return round.updates.find((update) => update.memberId === memberId);
}
