// SPDX-License-Identifier: Apache-2.0

import { jainIndex } from "../../numerics/metrics/fairness.ts";
import { toHex } from "../../protocol/bytes.ts";
import { keccak256 } from "../../protocol/hash.ts";
import type { WideKernels } from "../../protocol/wideKernels.ts";
import { runStudy, type StudyConfig } from "../studies/table.ts";
import type { FederationConfig } from "./cellConfig.ts";
import { type CellResult, type RoundPoint, roundPointSchema } from "./cellResult.ts";
import { codeDigest } from "./codeDigest.ts";
import { Detection } from "./detection.ts";
import { type Evaluation, evaluateFederation } from "./evaluateFederation.ts";
import type { Cell } from "./experimentConfig.ts";
import { assemble, type Federation, type Surroundings } from "./federation.ts";
import { jacobianOf } from "./jacobianOf.ts";
import { simulateRound } from "./simulateRound.ts";
import { Traffic } from "./traffic.ts";

export interface CellSurroundings extends Surroundings {
  readonly kernels: WideKernels;
  readonly onRound?: (round: number, of: number) => void;
  readonly signal?: AbortSignal;
}

/** Runs one cell from its data to its result. The same cell and seed give the same result, but for the seconds. */
export async function runCell(experiment: string, cell: Cell, surroundings: CellSurroundings): Promise<CellResult> {
  return "study" in cell.config
    ? runStudyCell(experiment, cell, cell.config.study, surroundings)
    : runFederation(experiment, cell, cell.config, surroundings);
}

async function runFederation(
  experiment: string,
  cell: Cell,
  config: FederationConfig,
  surroundings: CellSurroundings,
): Promise<CellResult> {
  const { seed } = cell;
  const started = performance.now();
  const federation = await assemble(config, seed, surroundings);
  const traffic = new Traffic(federation);
  const detection = new Detection(federation.attackers?.ids);
  const points: RoundPoint[] = [];
  let evaluation: Evaluation = await evaluateFederation(federation, 0);
  points.push(pointOf(0, evaluation));
  let [finalised, failed, refused, trainingSeconds] = [0, 0, 0, 0];
  let reason: string | null = null;
  for (let round = 1; round <= config.rounds; round++) {
    surroundings.signal?.throwIfAborted();
    const facts = await simulateRound(federation, round, surroundings.kernels);
    trainingSeconds += facts.trainingSeconds;
    refused += facts.refused.length;
    traffic.add(facts, federation.downlinkBytes);
    if (facts.failed === undefined) {
      finalised += 1;
      detection.add(facts);
    } else {
      failed += 1;
      reason ??= facts.failed;
    }
    if (round % config.evaluate.every === 0 || round === config.rounds) {
      evaluation = await evaluateFederation(federation, round);
      points.push(pointOf(round, evaluation));
    }
    surroundings.onRound?.(round, config.rounds);
  }
  return {
    version: 1,
    experiment,
    id: cell.id,
    code: codeDigest(),
    labels: cell.labels,
    seed,
    parameters: federation.model.parameterCount,
    points,
    final: {
      ...finalOf(evaluation),
      ...detection.result(),
      jacobian: config.evaluate.jacobianSamples > 0 ? finite(await jacobianOf(federation)) : null,
      epsilon: epsilonOf(federation),
    },
    figures: {},
    clients: [...evaluation.clients],
    traffic: traffic.result(),
    rounds: { finalised, failed, refused, reason },
    head: headOf(federation),
    seconds: { total: (performance.now() - started) / 1000, training: trainingSeconds },
  };
}

async function runStudyCell(
  experiment: string,
  { id, labels, seed }: Cell,
  config: StudyConfig,
  surroundings: CellSurroundings,
): Promise<CellResult> {
  const started = performance.now();
  const figures = await runStudy(config, seed, surroundings);
  surroundings.onRound?.(1, 1);
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
    figures: { ...figures },
    clients: [],
    traffic: { uplinkBytes: 0, downlinkBytes: 0, denseUplinkBytes: 0 },
    rounds: { finalised: 0, failed: 0, refused: 0, reason: null },
    head: "",
    seconds: { total: (performance.now() - started) / 1000, training: 0 },
  };
}

function finalOf({ accuracy, loss, clients }: Evaluation) {
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

function pointOf(round: number, { accuracy, loss, clients }: Evaluation): RoundPoint {
  const measured = clients.length > 0;
  return roundPointSchema.parse({
    round,
    accuracy: finite(accuracy),
    loss: finite(loss),
    clientMean: measured ? mean(clients) : null,
    clientStd: measured ? deviation(clients) : null,
  });
}

/** ε of the run: of a member, or of a record of the member with the fewest samples, which is the least hidden. */
function epsilonOf({ privacy, records, members }: Federation): number | null {
  if (records !== undefined)
    return records.spent(members.reduce((least, { shard }) => Math.min(least, shard.size), Infinity)).epsilon;
  return privacy?.spent().epsilon ?? null;
}

function headOf({ master }: Federation): string {
  return toHex(keccak256(new Uint8Array(master.buffer, master.byteOffset, master.byteLength)));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of the population: these are all the members. */
function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) * (value - middle))));
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
