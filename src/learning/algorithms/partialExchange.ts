// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { ParameterTensor } from "../layout.ts";
import type { Model } from "../model.ts";
import type { LocalAlgorithm, LocalTask } from "./localAlgorithm.ts";
import { runLocalLoop } from "./localLoop.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference } from "./vectors.ts";

/**
 * Partial exchange (FedPer, FedRep; spec B15): tensors named in `local` never leave the member and are put back before it trains and when it
 * evaluates its own model. Of the others the most important travel, by ‖Δ_l‖²/d_l, each that still fits in `budget` coordinates; the rest is
 * silent: sent as 0. With all tensors local every member trains alone.
 *
 * With a `budget` take the rule mean-of-senders (src/aggregation/meanOfSenders.ts), which averages a tensor over those that sent it: members choose
 * different ones, and other rules take what did not travel for a wish to stay.
 *
 * @throws ConfigError for a name that the model does not have.
 */
export function partialExchange(
  { local: names, budget }: ClientConfigOf<"partial">,
  plan: TrainingPlan,
  model: Model,
): LocalAlgorithm {
  const known = new Set(model.layout.map(({ name }) => name));
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new ConfigError(`The model has no tensor "${unknown}" to keep local; it has ${[...known].join(", ")}.`);
  const kept = model.layout.filter(({ name }) => names.includes(name));
  const shared = model.layout.filter(({ name }) => !names.includes(name));
  const own = (task: LocalTask): Float32Array => {
    const parameters = receivedState(task, model).parameters.slice();
    for (const { name, offset } of kept) {
      const values = task.local[name];
      if (values !== undefined) parameters.set(values, offset);
    }
    return parameters;
  };
  return {
    auxiliary: [],
    async train(task) {
      const start = own(task);
      const { parameters, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start));
      const delta = difference(parameters, start);
      const sent = new Set(mostImportant(delta, shared, budget));
      const silent = model.layout.filter((tensor) => !sent.has(tensor));
      for (const { offset, size } of silent) delta.fill(0, offset, offset + size);
      const local = Object.fromEntries(
        kept.map(({ name, offset, size }) => [name, parameters.slice(offset, offset + size)]),
      );
      return { delta, silent, trainLoss, local: { ...task.local, ...local } };
    },
    personalise: async (task) => own(task),
  };
}

/** Tensors by ‖Δ_l‖²/d_l, largest first and ties in layout order, each that still fits. */
export function mostImportant(
  delta: Float32Array,
  tensors: readonly ParameterTensor[],
  budget = Infinity,
): readonly ParameterTensor[] {
  const scored = tensors.map((tensor) => {
    let squares = 0;
    for (let i = tensor.offset; i < tensor.offset + tensor.size; i++)
      squares += (delta[i] as number) * (delta[i] as number);
    return { tensor, score: squares / tensor.size };
  });
  const chosen: ParameterTensor[] = [];
  let left = budget;
  // Sorting is stable, so equal scores stay in layout order.
  for (const { tensor } of scored.toSorted((a, b) => b.score - a.score)) {
    if (tensor.size > left) continue;
    left -= tensor.size;
    chosen.push(tensor);
  }
  return chosen;
}
