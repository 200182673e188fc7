// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { LocalTask } from "../../src/learning/algorithms/localAlgorithm.ts";
import { meanLoss } from "../../src/learning/evaluate.ts";
import type { TrainingOutcome, TrainingTask } from "../../src/node/clientAlgorithm.ts";
import { localTraining } from "../../src/node/localTraining.ts";
import { prepareUpdateOnce } from "../../src/node/round/prepareUpdateOnce.ts";
import { splitMaster } from "../../src/protocol/grid.ts";
import { MemoryNetwork, openMemoryStore } from "../../src/storage/memoryStore.ts";
import { clusters, gaussian, perceptron } from "../learning/algorithms/models.ts";
import { MASTER, OUTCOME, openMember } from "../support/member.ts";
import { ScriptedChain } from "../support/scriptedChain.ts";

describe("what a node gives its client algorithm", () => {
  let resources: AsyncDisposableStack;
  beforeEach(() => {
    resources = new AsyncDisposableStack();
  });
  afterEach(() => resources.disposeAsync());

  /** The task of a round with 5 invited members, where cohorts have `cohort` and `members` were ever admitted. */
  async function taskWith(cohort: number, members: number): Promise<TrainingTask> {
    const chain = new ScriptedChain(7);
    const store = await openMemoryStore(new MemoryNetwork());
    const node = await openMember(chain, store, resources, { calls: { memberCount: async () => members } });
    const tasks: TrainingTask[] = [];
    const algorithm = {
      ...node.algorithm,
      train: async (task: TrainingTask) => {
        tasks.push(task);
        return { ...OUTCOME, local: { control: Float32Array.of(1) } };
      },
    };
    const params = { ...node.params, cohort };
    const prepared = await prepareUpdateOnce({ ...node, algorithm, params }, chain.view());
    assert.deepEqual(prepared?.nextLocal, { control: Float32Array.of(1) });
    assert.deepEqual((await node.state.prepared(7))?.nextLocal, prepared?.nextLocal);
    const [task] = tasks;
    assert.ok(task !== undefined);
    assert.deepEqual(task.state, splitMaster(MASTER, node.layout).view);
    assert.deepEqual(task.local, {});
    return task;
  }

  it("the whole state, and K/N: all, where cohorts are as large as the membership", async () => {
    assert.equal((await taskWith(1024, 9)).participation, 1);
    assert.equal((await taskWith(5, 20)).participation, 0.25);
    assert.equal((await taskWith(5, 5)).participation, 1);
  });
});

describe("what a member is silent about", () => {
  it("does not travel: with everything silent the update is the same as one of zeros", async () => {
    await using resources = new AsyncDisposableStack();
    const chain = new ScriptedChain(7);
    const store = await openMemoryStore(new MemoryNetwork());
    const node = await openMember(chain, store, resources);
    // 2^-40 is below the grid, so all of it is left unsaid, unless it does not travel at all.
    const delta = OUTCOME.delta.map(() => 2 ** -40);
    const size = delta.length;
    const outcome: TrainingOutcome = { ...OUTCOME, delta, silent: [{ offset: 0, size }] };
    const algorithm = { ...node.algorithm, train: async () => outcome };
    const prepared = await prepareUpdateOnce({ ...node, algorithm }, chain.view());
    assert.deepEqual(prepared?.nextResidual, new Float64Array(size));
  });
});

describe("local training", () => {
  const model = perceptron(4, 3);
  const shard = clusters(30);
  const state = gaussian(model.parameterCount + 5);
  const parameters = state.subarray(0, model.parameterCount);
  const task: TrainingTask = { run: 1n, round: 3, state, local: { a: Float32Array.of(2) }, participation: 0.5 };

  it("hands everything on, and reports the loss of the model alone, without what travels beside it", async () => {
    const given: LocalTask[] = [];
    const silent = [{ offset: 2, size: 3 }];
    const algorithm = {
      auxiliary: [],
      train: async (received: LocalTask) => {
        given.push(received);
        return { delta: new Float32Array(state.length), silent, trainLoss: 1, local: { b: Float32Array.of(3) } };
      },
    };
    const training = localTraining({ algorithm, model, shard, seed: "s", resource: 2.5 });
    const { signal } = new AbortController();
    const outcome = await training.train(task, signal);
    const loss = await meanLoss(model, parameters, shard);
    assert.deepEqual(outcome, {
      delta: new Float32Array(state.length),
      silent,
      samples: 30,
      receivedLoss: loss,
      local: { b: Float32Array.of(3) },
    });
    assert.deepEqual(await training.evaluate(task, signal), { samples: 30, receivedLoss: loss });
    const [received] = given;
    assert.ok(received !== undefined);
    assert.deepEqual(
      [received.round, received.participation, received.resource, received.local, received.signal],
      [3, 0.5, 2.5, task.local, signal],
    );
    // Streams are the member's, the run's and the round's own.
    const draw = async (seed: string, changes: Partial<TrainingTask>): Promise<number> => {
      await localTraining({ algorithm, model, shard, seed }).train({ ...task, ...changes }, signal);
      return (given.at(-1) as LocalTask).random.derive("x").nextUint32();
    };
    const draws = [
      await draw("s", {}),
      await draw("t", {}),
      await draw("s", { round: 4 }),
      await draw("s", { run: 2n }),
    ];
    assert.equal(new Set(draws).size, 4);
    assert.equal(await draw("s", {}), draws[0]);
  });
});
