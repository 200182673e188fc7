// SPDX-License-Identifier: Apache-2.0
import { bytes, count, decimal, duration, norm, percent, plural, UNKNOWN } from "../format.ts";
import { madeModel, type PlacedRound } from "../lineage.ts";
import type { RoundReport, UpdateReport } from "../runReport.ts";
import { refusalSentence } from "./refusalSentence.ts";

/**
 * What the page's script shows beside a sign: a first line as title, then `name TAB value` lines and plain sentences. Plain text, which the
 * script puts in as text.
 */
export type Tip = string;

const rows = (lines: readonly (readonly [string, string | undefined])[]): readonly string[] =>
  lines.filter(([, value]) => value !== undefined && value !== UNKNOWN).map(([name, value]) => `${name}\t${value}`);

export function roundTip({ report: round, parentRound }: PlacedRound): Tip {
  const of = (outcome: UpdateReport["outcome"]) => round.updates.filter((update) => update.outcome === outcome).length;
  return [
    roundTitle(round),
    ...(round.outcome === "failed"
      ? [`No result: ${oneLine(round.failure ?? "no reason on record")}. The model and the head stay as they were.`]
      : []),
    ...rows([
      ["Accuracy", percent(round.accuracy)],
      ["Held-out loss", nats(round.heldOutLoss, 3)],
      [`Reported loss L (model ${parentRound})`, nats(round.reportedLoss, 3)],
      ["Update norm", norm(round.updateNorm)],
      [
        "Updates",
        !madeModel(round)
          ? `${count(round.updates.length)} committed, ${count(of("refused"))} refused`
          : `${count(of("kept"))} kept, ${count(of("not kept"))} not kept, ${count(of("refused"))} refused`,
      ],
      [
        "Proposer",
        round.proposer === undefined
          ? undefined
          : `validator ${round.proposerId ?? round.proposer}, view ${round.view ?? 0}`,
      ],
      ["Gas", count(round.gas)],
      ["Time", duration(round.seconds)],
    ]),
  ].join("\n");
}

export function updateTip(name: string, round: RoundReport, update: UpdateReport | undefined, state: string): Tip {
  const title = `${oneLine(name)}, ${roundTitle(round).toLowerCase()}`;
  if (update === undefined) return [title, "Committed nothing in this round."].join("\n");
  const refusal = update.refusal;
  const ruled = madeModel(round) && update.outcome !== "refused";
  return [
    title,
    ...(refusal === undefined ? [state] : [`${oneLine(refusal.code)}: ${refusalSentence(refusal.code)}`]),
    ...rows([
      ["Refused by", refusal === undefined ? undefined : plural(refusal.votes, "validator")],
      ["Yes votes", count(update.yes)],
      ["Weight λ", ruled ? percent(update.weight) : undefined],
      ["Score", ruled ? nats(update.score, 4) : undefined],
      ["Samples", count(update.samples)],
      ["Artifact", bytes(update.bytes)],
    ]),
  ].join("\n");
}

export function roundTitle(round: RoundReport): string {
  return `Round ${round.round}${round.closing ? ", closing" : ""}${round.outcome === "failed" ? ", failed" : ""}`;
}

export function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}

function nats(value: number | undefined, digits: number): string | undefined {
  return value === undefined || !Number.isFinite(value) ? undefined : `${decimal(value, digits)} nats`;
}
