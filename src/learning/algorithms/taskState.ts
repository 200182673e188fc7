// SPDX-License-Identifier: Apache-2.0
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Model } from "../model.ts";
import { checkLength } from "../targets.ts";
import type { AuxiliaryTensor, LocalTask } from "./localAlgorithm.ts";
import type { LocalHooks, LocalRun } from "./localLoop.ts";

/** What arrived, apart: the model's parameters and each auxiliary tensor. Views of the task's state. */
export interface ReceivedState {
  readonly parameters: Float32Array;
  readonly auxiliary: readonly Float32Array[];
}

/** Number of values of an auxiliary tensor. */
export function sizeOf({ shape }: AuxiliaryTensor): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** @throws LearningError WRONG_SHAPE unless the state is the model's parameters and the algorithm's auxiliary tensors, nothing more. */
export function receivedState(
  task: Pick<LocalTask, "state">,
  model: Model,
  tensors: readonly AuxiliaryTensor[] = [],
): ReceivedState {
  const sizes = tensors.map(sizeOf);
  checkLength("The received state", task.state, model.parameterCount + sizes.reduce((sum, size) => sum + size, 0));
  let offset = model.parameterCount;
  const auxiliary = sizes.map((size) => {
    offset += size;
    return task.state.subarray(offset - size, offset);
  });
  return { parameters: task.state.subarray(0, model.parameterCount), auxiliary };
}

/** The loop's part of a task. */
export function loopOf(
  { shard, random, signal, maxSteps }: LocalTask,
  model: Model,
  plan: TrainingPlan,
  start: Float32Array,
  hooks?: LocalHooks,
): LocalRun {
  return { model, plan, start, shard, random, signal, maxSteps, ...(hooks === undefined ? {} : { hooks }) };
}
