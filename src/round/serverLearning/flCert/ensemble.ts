// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../../protocol/dataset.ts";
import { argmaxRows, logitsOf, type Predictor } from "../predictors.ts";
import type { Groups } from "./groups.ts";

/**
 * FLCert's result (Cao et al. 2022): one global model per group of members, all trained by one base algorithm. The models are never averaged;
 * they vote. (It is not one set of updates under several rules.)
 */
export interface Ensemble<ServerState = undefined> {
  readonly groups: readonly GroupModel<ServerState>[];
}

/** A group's own federation: its model and whatever its server remembers (an optimiser's moments), which no other group shares. */
export interface GroupModel<ServerState> {
  readonly members: readonly number[];
  readonly parameters: Float32Array;
  readonly server: ServerState;
}

/** All groups start from the same model. */
export function openEnsemble<ServerState>(
  groups: Groups,
  parameters: Float32Array,
  server: ServerState,
): Ensemble<ServerState> {
  return { groups: groups.map((members) => ({ members, parameters, server })) };
}

/**
 * One round: every group on its own, from its own model, with its own server state. A group that fails or has nobody this round (`advance` gives
 * undefined) stays as it is.
 *
 * @param advance trains a group's members from its model and aggregates: any client algorithm, any rule.
 */
export async function advanceEnsemble<ServerState>(
  ensemble: Ensemble<ServerState>,
  advance: (
    group: GroupModel<ServerState>,
    index: number,
  ) => Promise<{ readonly parameters: Float32Array; readonly server: ServerState } | undefined>,
): Promise<Ensemble<ServerState>> {
  const groups: GroupModel<ServerState>[] = [];
  for (const [index, group] of ensemble.groups.entries()) groups.push({ ...group, ...(await advance(group, index)) });
  return { groups };
}

/** n_c(x): how many of the models give sample x class c; one row of counts per sample. */
export async function ensembleVotes(predictors: readonly Predictor[], dataset: Dataset): Promise<Int32Array[]> {
  const votes = Array.from({ length: dataset.size }, () => new Int32Array(dataset.classes));
  for (const predictor of predictors) {
    const labels = argmaxRows(await logitsOf(predictor, dataset), dataset.classes);
    for (const [sample, label] of labels.entries()) {
      const row = votes[sample] as Int32Array;
      row[label] = (row[label] as number) + 1;
    }
  }
  return votes;
}
