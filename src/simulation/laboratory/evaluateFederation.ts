// SPDX-License-Identifier: Apache-2.0
import { accuracy, meanLoss } from "../../learning/evaluate.ts";
import { splitMaster } from "../../protocol/grid.ts";
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
  const parameters = view.subarray(0, model.parameterCount);
  const clients: number[] = [];
  for (const member of federation.members) {
    if (member.test === undefined || member.test.size === 0 || federation.attackers?.ids.has(member.id)) continue;
    clients.push(await accuracy(model, await ownModel(federation, member, view, round), member.test));
  }
  return { accuracy: await accuracy(model, parameters, test), loss: await meanLoss(model, parameters, test), clients };
}

async function ownModel(
  { model, random, config }: Federation,
  { algorithm, shard, local, id }: Member,
  state: Float32Array,
  round: number,
): Promise<Float32Array> {
  if (algorithm.personalise === undefined) return state.subarray(0, model.parameterCount);
  return algorithm.personalise({
    round,
    state,
    shard,
    random: random.derive("personalise", round, id),
    local,
    participation: config.participation,
  });
}
