// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fedAvg } from "../../../../src/learning/algorithms/fedAvg.ts";
import { createOnnxNodeEngine } from "../../../../src/learning/engines/onnxNode.ts";
import { accuracy } from "../../../../src/learning/evaluate.ts";
import { initialiseParameters } from "../../../../src/learning/layout.ts";
import type { LearningEngine, Model } from "../../../../src/learning/model.ts";
import { keyedRandom } from "../../../../src/protocol/random.ts";
import { speedClasses } from "../../../../src/round/serverLearning/asynchrony/durations.ts";
import { fedQsPolicy, meanLayerAngle } from "../../../../src/round/serverLearning/asynchrony/fedQs.ts";
import { type AsyncUpdate, movementOfStep } from "../../../../src/round/serverLearning/asynchrony/moveByStep.ts";
import {
  type AsyncPolicy,
  fedAsyncPolicy,
  fedBuffPolicy,
  synchronousPolicy,
} from "../../../../src/round/serverLearning/asynchrony/policies.ts";
import { runAsync } from "../../../../src/round/serverLearning/asynchrony/runAsync.ts";
import { asyncSchema } from "../../../../src/round/serverLearning/serverConfig.ts";
import type { FloatVector } from "../../../../src/round/serverLearning/strategy.ts";
import { moved } from "../../../../src/round/serverLearning/vectors.ts";
import { CONFIG, clusters, PLAN } from "../federation.ts";

describe("asynchronous learning", () => {
  const members = [0, 1, 2, 3, 4, 5];
  const shards = members.map((member) => clusters(`shard ${member}`, 60));
  const fresh = clusters("fresh", 300);
  let engine: LearningEngine;
  let model: Model;
  before(async () => {
    engine = await createOnnxNodeEngine();
    model = await engine.load(CONFIG);
  });
  after(() => engine.dispose());

  /** Trains a federation with a policy for so much virtual time; what a laboratory does around `runAsync`. */
  async function learn(policyOf: (angle: (member: number) => number | undefined) => AsyncPolicy, time: number) {
    let parameters = initialiseParameters(CONFIG, keyedRandom("start"));
    let lastMovement: FloatVector | undefined;
    const lastDeltas = new Map<number, FloatVector>();
    const rates = new Set<number>();
    const angle = (member: number) => {
      const own = lastDeltas.get(member);
      return lastMovement && own && meanLayerAngle(lastMovement, own, model.layout);
    };
    const run = await runAsync<AsyncUpdate>({
      members,
      concurrency: members.length,
      policy: policyOf(angle),
      maxStaleness: 20,
      duration: speedClasses(members, [1, 2, 4], 0.1, keyedRandom("speeds")),
      until: { versions: Infinity, time },
      random: keyedRandom("run"),
      train: async ({ member, number, instruction }) => {
        const base = parameters;
        const plan = { ...PLAN, localSteps: 5, learningRate: instruction?.learningRate ?? 0.05, momentum: 0 };
        rates.add(plan.learningRate);
        const { delta } = await fedAvg(plan, model).train({
          round: 1,
          state: base,
          shard: shards[member] as (typeof shards)[number],
          random: keyedRandom("task", number),
          local: {},
          participation: 1,
        });
        lastDeltas.set(member, delta);
        return { base, delta };
      },
      apply: async (step) => {
        lastMovement = movementOfStep(parameters, step);
        parameters = moved(parameters, lastMovement);
      },
    });
    return { run, parameters, rates, right: await accuracy(model, parameters, fresh) };
  }

  for (const [name, policyOf] of [
    ["fedasync", () => fedAsyncPolicy(parse({ name: "fedasync" }))],
    ["fedbuff", () => fedBuffPolicy(parse({ name: "fedbuff", buffer: 3 }))],
    [
      "fedqs",
      (angle: (member: number) => number | undefined) =>
        fedQsPolicy(parse({ name: "fedqs", buffer: 3, learningRate: 0.05 }), { samples: () => 60, angle }),
    ],
  ] as const)
    it(`${name} learns in 20 virtual seconds, to the same bits again`, async () => {
      const first = await learn(policyOf, 20);
      assert.ok(first.right > 0.85, `${first.right}`);
      assert.ok(first.run.staleness.some((age) => age > 0));
      assert.equal(first.rates.size > 1, name === "fedqs");
      assert.deepEqual((await learn(policyOf, 20)).parameters, first.parameters);
    });

  it("moves the model more often than the barrier in the same time", async () => {
    const sync = await learn(() => synchronousPolicy(() => 60), 20);
    const buffered = await learn(() => fedBuffPolicy(parse({ name: "fedbuff", buffer: 6 })), 20);
    assert.ok(buffered.run.versions > sync.run.versions && sync.run.staleness.every((age) => age === 0));
  });

  function parse<Name extends string>(value: { name: Name } & Record<string, unknown>) {
    return asyncSchema.parse(value) as Extract<ReturnType<typeof asyncSchema.parse>, { name: Name }>;
  }
});
