// SPDX-License-Identifier: Apache-2.0
import type { UnlearningRecord } from "./exactReplay.ts";
import { matchedAuroc, membershipAuroc } from "./membershipInference.ts";
import type { Head } from "./replayableRun.ts";

/** How far from ½ the area may lie for the member's samples to look like any others. */
export const AUROC_LEEWAY = 0.05;

/** What shows that a member was forgotten, and what it cost (spec I6). Plain JSON. */
export interface UnlearningEvidence {
  readonly method: "replay" | "recompute" | "fed-eraser" | "shards";
  readonly member: number;
  readonly record: UnlearningRecord | null;
  /** Whether the new head is, bit for bit, that of training without the member; null where that was not trained. */
  readonly equalsRetrained: boolean | null;
  /** Area under the ROC of a loss threshold on the member's samples against held-out ones, of the old and the new model. */
  readonly membership: {
    readonly before: number;
    readonly after: number;
    readonly withinLeeway: boolean;
    readonly memberSamples: number;
    readonly heldOutSamples: number;
  };
  /** On others' data. */
  readonly accuracy: { readonly before: number; readonly after: number; readonly change: number };
  /** ‖w' − w_retrained‖/‖w_retrained‖; null where that was not trained. */
  readonly distanceToRetrained: number | null;
}

/** A model as the evidence looks at it. */
export interface Examined {
  readonly head: Pick<Head, "digest" | "state">;
  /** Of the forgotten member's samples, and of samples nobody trained on; nats. */
  readonly memberLosses: ArrayLike<number>;
  readonly heldOutLosses: ArrayLike<number>;
  /** Of both; samples are then compared class by class. */
  readonly labels?: { readonly member: ArrayLike<number>; readonly heldOut: ArrayLike<number> };
  /** Accuracy on the other members' data, or on a test set. */
  readonly accuracy: number;
}

export interface EvidenceInput {
  readonly method: UnlearningEvidence["method"];
  readonly member: number;
  readonly record?: UnlearningRecord | undefined;
  readonly before: Examined;
  readonly after: Examined;
  /** Training without the member from the start. */
  readonly retrained?: Pick<Head, "digest" | "state"> | undefined;
}

/** The evidence report of an unlearning. */
export function evidenceOf({ method, member, record, before, after, retrained }: EvidenceInput): UnlearningEvidence {
  const area = areaOf(after);
  return {
    method,
    member,
    record: record ?? null,
    equalsRetrained: retrained === undefined ? null : retrained.digest === after.head.digest,
    membership: {
      before: areaOf(before),
      after: area,
      withinLeeway: Math.abs(area - 0.5) <= AUROC_LEEWAY,
      memberSamples: after.memberLosses.length,
      heldOutSamples: after.heldOutLosses.length,
    },
    accuracy: { before: before.accuracy, after: after.accuracy, change: after.accuracy - before.accuracy },
    distanceToRetrained: retrained === undefined ? null : relativeDistance(after.head.state, retrained.state),
  };
}

function areaOf({ memberLosses, heldOutLosses, labels }: Examined): number {
  if (labels === undefined) return membershipAuroc(memberLosses, heldOutLosses);
  const held = { losses: heldOutLosses, labels: labels.heldOut };
  return matchedAuroc({ losses: memberLosses, labels: labels.member }, held).area;
}

/** ‖a − b‖/‖b‖. */
export function relativeDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, length] = [0, 0];
  for (let j = 0; j < b.length; j++) {
    difference += ((a[j] as number) - (b[j] as number)) ** 2;
    length += (b[j] as number) ** 2;
  }
  return Math.sqrt(difference / length);
}

/** The evidence in sentences, one a line. */
export function formatEvidence(evidence: UnlearningEvidence): string {
  const { member, method, record, equalsRetrained, membership, accuracy, distanceToRetrained } = evidence;
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  const lines = [`Member ${member}, forgotten by ${method}.`];
  if (record?.firstRound === null) lines.push("None of its updates entered the model: the head stays.");
  else if (record !== null) {
    lines.push(`${record.replayed} rounds from round ${record.firstRound} on were run again.`);
    for (const { round, reason } of record.failed) lines.push(`Round ${round} failed without it: ${reason}.`);
    lines.push(`Head before: ${record.oldHead}`, `Head after:  ${record.newHead}`);
  }
  if (equalsRetrained !== null)
    lines.push(
      equalsRetrained
        ? "The head equals that of training without the member from the start, bit for bit."
        : "The head differs from that of training without the member from the start.",
    );
  if (distanceToRetrained !== null) lines.push(`Relative distance to it: ${distanceToRetrained.toExponential(3)}.`);
  lines.push(
    `Membership inference (AUROC of a loss threshold, ${membership.memberSamples} samples against ${membership.heldOutSamples} held out): ` +
      `${membership.before.toFixed(3)} before, ${membership.after.toFixed(3)} after, ${membership.withinLeeway ? "within" : "outside"} ½ ± ${AUROC_LEEWAY}.`,
    `Accuracy on others' data: ${percent(accuracy.before)} before, ${percent(accuracy.after)} after.`,
  );
  return lines.join("\n");
}
