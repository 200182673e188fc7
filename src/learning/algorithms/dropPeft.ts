// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../protocol/dataset.ts";
import type { Random } from "../../protocol/random.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import { accuracy } from "../evaluate.ts";
import type { Model } from "../model.ts";
import { adapterTensorsOf } from "./adapters.ts";
import { partOfModel } from "./adaptersModel.ts";
import { extentOf, gather } from "./batches.ts";
import { banditState, chooseArm, rewarded } from "./dropPeftBandit.ts";
import { droppableConfig, thinned } from "./dropPeftBlocks.ts";
import type { LocalAlgorithm } from "./localAlgorithm.ts";
import { type LocalHooks, requireSamples, runLocalLoop } from "./localLoop.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference } from "./vectors.ts";

/**
 * DropPEFT's core (arXiv 2503.10217; spec B15): each step leaves every inner block of a transformer out with probability p, the same for all of
 * them; the first and the last stay. A member chooses its p anew each round by an ε-greedy bandit, whose reward is the accuracy on its own samples
 * that the round gained, over its cost: batches times blocks computed, over those of a pass of the shard through the whole network. Counted, not timed, so
 * that a run can be repeated. What the bandit knows never leaves the member.
 *
 * A block that is left out has gradient 0 in that step; momentum and weight decay still act on it. Evaluation is the whole network's.
 *
 * @throws ConfigError for models that are no transformer of three blocks or more, and for `trains: adapters` without adapters.
 */
export function dropPeft(config: ClientConfigOf<"droppeft">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  const { blocks } = droppableConfig(model);
  const tensors = config.trains === "adapters" ? adapterTensorsOf(model, false) : model.layout;
  return {
    auxiliary: [],
    async train(task) {
      const { shard, random } = task;
      requireSamples(shard);
      const { parameters: start } = receivedState(task, model);
      const bandit = banditState(task.local["bandit"], config.rates.length);
      const arm = chooseArm(bandit, config.exploration, random.derive("bandit"));
      const rate = config.rates[arm] as number;

      // With everything trained the part is the model itself, which may have a fused step.
      const whole = tensors.length === model.layout.length;
      const part = partOfModel(model, start, tensors);
      let computed = 0;
      const gradient: LocalHooks["gradient"] = async ({ parameters, batch, mode, random: ofStep }) => {
        const kept = keptBlocks(blocks, rate, ofStep.derive("blocks"));
        computed += kept.length;
        const network = await thinned(model, kept);
        const request = whole ? {} : { trainable: part.names };
        const found = await network.valueAndGradient(part.composed(parameters), batch, request, mode);
        return { loss: found.loss, gradient: part.taken(found.gradient) };
      };
      const run = loopOf(
        task,
        whole ? model : part.model,
        plan,
        part.taken(start),
        rate > 0 ? { gradient } : undefined,
      );
      const { parameters, trainLoss, steps } = await runLocalLoop(run);
      const reached = part.composed(parameters);

      const judged = judgedSamples(shard, config.judged, random.derive("judged"));
      const gained = (await accuracy(model, reached, judged)) - (await accuracy(model, start, judged));
      const cost = (rate > 0 ? computed : blocks * steps) / (blocks * extentOf(plan, shard.size).perPass);
      const remembered = rewarded(bandit, arm, gained / cost, config.memory);
      return { delta: difference(reached, start), trainLoss, local: { ...task.local, bandit: remembered } };
    },
  };
}

/** The blocks of one step, ascending: the first, the last, and each of the others with probability 1 − rate. */
export function keptBlocks(blocks: number, rate: number, random: Random): readonly number[] {
  const kept = [0];
  for (let block = 1; block < blocks - 1; block++) if (random.uniform() >= rate) kept.push(block);
  return [...kept, blocks - 1];
}

/** At most so many of a shard's samples, drawn without replacement. */
function judgedSamples(shard: Dataset, most: number, random: Random): Dataset {
  if (shard.size <= most) return shard;
  return { ...shard, ...gather(shard, random.permutation(shard.size).slice(0, most)) };
}
