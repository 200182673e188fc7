// SPDX-License-Identifier: Apache-2.0
import { accuracy, meanLoss } from "../../learning/evaluate.ts";
import { splitMaster } from "../../protocol/grid.ts";
import { cohortSize } from "./cellConfig.ts";
import type { Federation, Member } from "./federation.ts";

/** How good the global model is, and how good members' own models are on their own test samples. */
export interface Evaluation {
  readonly accuracy: number;
  /** Nats. */
  readonly loss: number;
  /** Honest members' accuracies in ascending id; empty where members are not measured. */
  readonly clients: readonly number[];
}

/**
 * Accuracy and loss of the global model on the test set; and, where members keep test samples, each honest member's accuracy with the model that
 * it would use (its local layers put back, or adapted to its data, where its algorithm does so).
 */
export async function evaluateFederation(federation: Federation, round: number): Promise<Evaluation> {
  const { model, test, layout, master } = federation;
  const { view } = splitMaster(master, layout);
  const parameters = globalModelOf(federation);
  const clients: number[] = [];
  for (const member of federation.members) {
    if (member.test === undefined || member.test.size === 0 || federation.attackers?.ids.has(member.id)) continue;
    clients.push(await accuracy(model, await ownModel(federation, member, view, round), member.test));
  }
  if (parameters === undefined) return { accuracy: Number.NaN, loss: Number.NaN, clients };
  return { accuracy: await accuracy(model, parameters, test), loss: await meanLoss(model, parameters, test), clients };
}

/** The parameters that the federation's state stands for; undefined where members share no model. */
export function globalModelOf({ model, layout, master, members }: Federation): Float32Array | undefined {
  const { view } = splitMaster(master, layout);
  const algorithm = members[0]?.algorithm;
  if (algorithm?.globalModel === undefined) return view.slice(0, model.parameterCount);
  return algorithm.globalModel(view);
}

async function ownModel(
  { model, random, config, server }: Federation,
  { algorithm, shard, local, id }: Member,
  state: Float32Array,
  round: number,
): Promise<Float32Array> {
  const personal = server?.personal?.get(id);
  if (personal !== undefined) return personal.subarray(0, model.parameterCount);
  if (algorithm.personalise === undefined) return state.subarray(0, model.parameterCount);
  return algorithm.personalise({
    round,
    state,
    shard,
    random: random.derive("personalise", round, id),
    local,
    participation: cohortSize(config) / config.members,
  });
}
