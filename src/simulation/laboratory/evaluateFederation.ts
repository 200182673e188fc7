// SPDX-License-Identifier: Apache-2.0
import { accuracy, meanLoss } from "../../learning/evaluate.ts";
import { splitMaster } from "../../protocol/grid.ts";
import type { Predictor } from "../../round/serverLearning/predictors.ts";
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

/** A member's own model. */
export interface OwnPredictor extends Predictor {
  readonly id: number;
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
    clients.push(await accuracy(member.model, await ownModel(federation, member, view, round), member.test));
  }
  if (parameters === undefined) return { accuracy: Number.NaN, loss: Number.NaN, clients };
  return { accuracy: await accuracy(model, parameters, test), loss: await meanLoss(model, parameters, test), clients };
}

/** Each honest member's own model as it stands after a round, in ascending id. */
export async function ownPredictors(federation: Federation, round: number): Promise<OwnPredictor[]> {
  const { view } = splitMaster(federation.master, federation.layout);
  const predictors: OwnPredictor[] = [];
  for (const member of federation.members) {
    if (federation.attackers?.ids.has(member.id)) continue;
    const parameters = await ownModel(federation, member, view, round);
    predictors.push({ id: member.id, model: member.model, parameters });
  }
  return predictors;
}

/** The parameters that the federation's state stands for, or the server's student; undefined where members share no model. */
export function globalModelOf({ model, layout, master, members, server }: Federation): Float32Array | undefined {
  if (server?.strategy.model !== undefined) return server.strategy.model(server.state);
  const { view } = splitMaster(master, layout);
  const algorithm = members[0]?.algorithm;
  if (algorithm?.globalModel === undefined) return view.slice(0, model.parameterCount);
  return algorithm.globalModel(view);
}

async function ownModel(
  { random, config, server }: Federation,
  { algorithm, model, shard, local, id }: Member,
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
