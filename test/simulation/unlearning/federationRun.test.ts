// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { referenceKernels } from "../../../src/aggregation/reference/referenceKernels.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { type FederationConfig, parseCell } from "../../../src/simulation/laboratory/cellConfig.ts";
import { forgetByReplay, matchesTrainingWithout } from "../../../src/simulation/unlearning/exactReplay.ts";
import { recordFederation } from "../../../src/simulation/unlearning/federationRun.ts";
import { firstRoundOf } from "../../../src/simulation/unlearning/replayableRun.ts";

const engine = await createOnnxNodeEngine({ threads: 1 });
after(() => engine.dispose());
const surroundings = { engine, kernels: referenceKernels, dataRoot: "unused" };
const configOf = (recipe: object): FederationConfig =>
  parseCell({
    members: 6,
    rounds: 5,
    data: { name: "s-mix", samples: 240, testSamples: 60, s: 0.7 },
    partition: { kind: "dirichlet", alpha: 0.5 },
    model: { kind: "mlp", hidden: [8], activation: "relu" },
    training: { localEpochs: 1, batchSize: 10, learningRate: 0.1, momentum: 0 },
    ...recipe,
  }) as FederationConfig;

describe("unlearning a member of a laboratory's federation", () => {
  const recipes = {
    "top-k with error feedback, ByzFed's reputations": {
      update: { codec: { name: "topk-int16", blockSize: 16, keep: 60 } },
      aggregation: { rule: "byzfed", parameters: { filter: "mad", k: 2, sizeWeighted: true } },
    },
    "SCAFFOLD and FedAdam": {
      client: { name: "scaffold" },
      serverOptimiser: { name: "fedadam", learningRate: 0.05, beta1: 0.9, beta2: 0.99, tau: 0.001 },
    },
    "compressed downlinks to some of the members": {
      participation: 0.5,
      update: { downlink: { name: "topk-int16", blockSize: 16, keep: 40, history: 2 } },
    },
    "attackers that replay": { attack: { name: "replay", count: 2 } },
  };
  for (const [name, recipe] of Object.entries(recipes))
    it(`gives training without it, bit for bit: ${name}`, async () => {
      const run = await recordFederation(configOf(recipe), 7, surroundings, 1);
      for (const member of [2, 5]) {
        const { head, record } = await forgetByReplay(run, member);
        assert.equal(record.firstRound, firstRoundOf(run, member) ?? null);
        assert.ok((await matchesTrainingWithout(run, member, head)).equal, `member ${member}`);
        assert.notEqual(record.newHead, record.oldHead);
      }
    });

  it("replays the run itself from any round", async () => {
    const run = await recordFederation(configOf(recipes["SCAFFOLD and FedAdam"]), 7, surroundings, 2);
    for (const from of [1, 2, 4, 5])
      assert.deepEqual(
        (await run.replay(from, [])).map(({ digest }) => digest),
        run.heads.slice(from).map(({ digest }) => digest),
      );
  });
});
