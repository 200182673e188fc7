// SPDX-License-Identifier: Apache-2.0

import type { WideKernels } from "../../protocol/wideKernels.ts";
import { isEnsemble } from "../../round/serverLearning/serverConfig.ts";
import { runStudy, type StudyConfig } from "../studies/table.ts";
import type { FederationConfig } from "./cellConfig.ts";
import { CellRecord, type Ending, finite, studyResult } from "./cellRecord.ts";
import type { CellResult } from "./cellResult.ts";
import { evaluateFederation, globalModelOf } from "./evaluateFederation.ts";
import type { Cell } from "./experimentConfig.ts";
import { assemble, type Federation, type Surroundings } from "./federation.ts";
import { ownFigures } from "./heterogeneousFigures.ts";
import { jacobianOf, marginOf } from "./jacobianOf.ts";
import { qualityOf, rankingOf } from "./quality.ts";
import { clockOf } from "./roundClock.ts";
import { runAsynchronously } from "./runAsynchronously.ts";
import { runEnsemble } from "./runEnsemble.ts";
import { shiftAfter } from "./shift.ts";
import { simulateRound } from "./simulateRound.ts";

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
  const started = performance.now();
  const federation = await assemble(config, cell.seed, surroundings);
  const record = new CellRecord(federation, started);
  const { server, schedule } = config;
  if (server !== undefined && isEnsemble(server))
    return record.result(experiment, cell, await runEnsemble(federation, server, record, surroundings));
  const figures =
    schedule === undefined
      ? await runInRounds(federation, record, surroundings)
      : await runAsynchronously(federation, schedule, record, surroundings);
  return record.result(experiment, cell, await endingOf(federation, figures));
}

async function runInRounds(
  federation: Federation,
  record: CellRecord,
  { kernels, onRound, signal }: CellSurroundings,
): Promise<Ending["figures"]> {
  const { rounds, evaluate } = federation.config;
  const clock = clockOf(federation);
  let shifted = {};
  record.evaluated(0, await evaluateFederation(federation, 0), clock?.time);
  for (let round = 1; round <= rounds; round++) {
    signal?.throwIfAborted();
    const facts = await simulateRound(federation, round, kernels);
    record.ended(facts);
    clock?.round(facts);
    if (round % evaluate.every === 0 || round === rounds)
      record.evaluated(round, await evaluateFederation(federation, round), clock?.time);
    shifted = { ...shifted, ...(await shiftAfter(round, [federation], () => qualityOf(federation))) };
    onRound?.(round, rounds);
  }
  return { ...clock?.figures(), ...shifted };
}

/** What is measured of the final model alone. */
export async function endingOf(federation: Federation, figures: Ending["figures"]): Promise<Ending> {
  const { config, master } = federation;
  const { jacobianSamples, marginSamples, ranking } = config.evaluate;
  const parameters = globalModelOf(federation);
  const measuresOwn = config.evaluate.own === true || config.models !== undefined;
  return {
    masters: [master],
    jacobian: jacobianSamples > 0 && parameters !== undefined ? finite(await jacobianOf(federation, parameters)) : null,
    figures: {
      ...figures,
      ...(marginSamples !== undefined && parameters !== undefined
        ? { marginDistance: await marginOf(federation, parameters, marginSamples) }
        : {}),
      ...(ranking === true ? await rankingOf(federation) : {}),
      ...(measuresOwn ? await ownFigures(federation) : {}),
    },
  };
}

async function runStudyCell(
  experiment: string,
  cell: Cell,
  config: StudyConfig,
  surroundings: CellSurroundings,
): Promise<CellResult> {
  const started = performance.now();
  const figures = await runStudy(config, cell.seed, surroundings);
  surroundings.onRound?.(1, 1);
  return studyResult(experiment, cell, figures, started);
}
