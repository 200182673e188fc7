// SPDX-License-Identifier: Apache-2.0
import { jainIndex } from "../../numerics/metrics/fairness.ts";
import { toHex } from "../../protocol/bytes.ts";
import { keccak256 } from "../../protocol/hash.ts";
import type { Figures } from "../studies/study.ts";
import { type CellResult, type RoundPoint, roundPointSchema } from "./cellResult.ts";
import { codeDigest } from "./codeDigest.ts";
import { Contributions } from "./contributions.ts";
import { Detection } from "./detection.ts";
import type { Evaluation } from "./evaluateFederation.ts";
import type { Cell } from "./experimentConfig.ts";
import type { Federation } from "./federation.ts";
import type { RoundFacts } from "./simulateRound.ts";
import { Traffic } from "./traffic.ts";

/** What is known of a cell only when it has ended. */
export interface Ending {
  /** The last master model, or all of them where there are several. */
  readonly masters: readonly Float64Array[];
  readonly figures: Figures;
  readonly jacobian: number | null;
}

/** Gathers what a federation does into its line of the results file. */
export class CellRecord {
  readonly traffic: Traffic;
  readonly #federation: Federation;
  readonly #started: number;
  readonly #detection: Detection;
  readonly #contributions: Contributions;
  readonly #points: RoundPoint[] = [];
  #last: Evaluation = { accuracy: Number.NaN, loss: Number.NaN, clients: [] };
  #finalised = 0;
  #failed = 0;
  #refused = 0;
  #trainingSeconds = 0;
  #reason: string | null = null;

  /** @param started performance.now() when the cell began. */
  constructor(federation: Federation, started: number) {
    this.#federation = federation;
    this.#started = started;
    this.traffic = new Traffic(federation);
    this.#detection = new Detection(federation.attackers?.ids);
    this.#contributions = new Contributions(
      federation.members.map(({ id }) => id),
      federation.attackers?.ids ?? new Set(),
      federation.config.scoring?.method !== "cosine",
    );
  }

  /** An evaluation after a round, 0 for the start. @param time virtual seconds, where there are no rounds. */
  evaluated(round: number, evaluation: Evaluation, time: number | null = null): void {
    const { accuracy, loss, clientMean, clientStd } = measuresOf(evaluation);
    this.#points.push(roundPointSchema.parse({ round, time, accuracy, loss, clientMean, clientStd }));
    this.#last = evaluation;
  }

  /** A round has ended: what it did in each of the federations that had it. It counts as finalised if any of their models moved. */
  ended(...models: readonly RoundFacts[]): void {
    for (const facts of models) {
      this.#trainingSeconds += facts.trainingSeconds;
      this.#refused += facts.refused.length;
      this.traffic.add(facts);
      if (facts.scored !== undefined) this.#contributions.add(facts.scored);
      if (facts.failed === undefined) this.#detection.add(facts);
      else this.#reason ??= facts.failed;
    }
    if (models.some(({ failed }) => failed === undefined)) this.#finalised += 1;
    else this.#failed += 1;
  }

  result(experiment: string, { id, labels, seed }: Cell, { masters, figures, jacobian }: Ending): CellResult {
    const { model } = this.#federation;
    return {
      version: 1,
      experiment,
      id,
      code: codeDigest(),
      labels,
      seed,
      parameters: model.parameterCount,
      points: this.#points,
      final: {
        ...measuresOf(this.#last),
        ...this.#detection.result(),
        jacobian,
        epsilon: epsilonOf(this.#federation),
      },
      figures: knownFigures({ ...this.#contributions.figures(), ...figures }),
      clients: [...this.#last.clients],
      traffic: this.traffic.result(),
      rounds: { finalised: this.#finalised, failed: this.#failed, refused: this.#refused, reason: this.#reason },
      head: headOf(masters),
      seconds: { total: (performance.now() - this.#started) / 1000, training: this.#trainingSeconds },
    };
  }
}

/** The line of a study, which has no rounds and no model to show. */
export function studyResult(
  experiment: string,
  { id, labels, seed }: Cell,
  figures: Figures,
  started: number,
): CellResult {
  return {
    version: 1,
    experiment,
    id,
    code: codeDigest(),
    labels,
    seed,
    parameters: 0,
    points: [],
    final: {
      accuracy: null,
      loss: null,
      clientMean: null,
      clientStd: null,
      clientWorst: null,
      jain: null,
      detectionRecall: null,
      detectionFalsePositives: null,
      jacobian: null,
      epsilon: null,
    },
    figures: knownFigures(figures),
    clients: [],
    traffic: { uplinkBytes: 0, downlinkBytes: 0, denseUplinkBytes: 0 },
    rounds: { finalised: 0, failed: 0, refused: 0, reason: null },
    head: "",
    seconds: { total: (performance.now() - started) / 1000, training: 0 },
  };
}

function measuresOf({ accuracy, loss, clients }: Evaluation) {
  const measured = clients.length > 0;
  return {
    accuracy: finite(accuracy),
    loss: finite(loss),
    clientMean: measured ? mean(clients) : null,
    clientStd: measured ? deviation(clients) : null,
    clientWorst: measured ? clients.reduce((least, value) => Math.min(least, value)) : null,
    jain: measured ? jainIndex(clients) : null,
  };
}

/** ε of the run: of a member, or of a record of the member with the fewest samples, which is the least hidden. */
function epsilonOf({ privacy, records, members }: Federation): number | null {
  if (records !== undefined)
    return records.spent(members.reduce((least, { shard }) => Math.min(least, shard.size), Infinity)).epsilon;
  return privacy?.spent().epsilon ?? null;
}

/** Without what is no number: a claim about it does not hold. */
function knownFigures(figures: Figures): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => Number.isFinite(value)));
}

function headOf(masters: readonly Float64Array[]): string {
  const bytes = masters.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));
  return toHex(keccak256(Buffer.concat(bytes)));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of the population: these are all the members. */
function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) * (value - middle))));
}

/** null stands for what is no number. */
export function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
