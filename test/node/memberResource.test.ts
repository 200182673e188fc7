// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { localAlgorithm } from "../../src/learning/algorithms/table.ts";
import type { Model } from "../../src/learning/model.ts";
import { localTraining } from "../../src/node/localTraining.ts";
import { memberResource } from "../../src/node/memberResource.ts";
import { SILENT } from "../../src/protocol/logger.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { type ClientConfig, clientSchema } from "../../src/protocol/recipe/clientConfig.ts";
import { clusters, gaussian, referenceModel } from "../learning/algorithms/models.ts";

const TIERS = clientSchema.parse({ name: "hmsdfl", tiers: { high: 4, low: 2, min: 1 } });
const PARTIAL = clientSchema.parse({ name: "fedprox", partialWork: true });
const NOT_ASKING = [
  undefined,
  clientSchema.parse({ name: "scaffold" }),
  clientSchema.parse({ name: "hmsdfl" }),
  clientSchema.parse({ name: "fedprox" }),
];
const training = { localEpochs: 1, batchSize: 10, learningRate: 0.1, momentum: 0 };
const shard = clusters(40);

/** A member whose steps take that long on a chain with blocks of that length: four steps a round, 20 blocks to do them. */
function member({ stepMs = 250, blockSeconds = 0.1 }: { stepMs?: number; blockSeconds?: number | null } = {}) {
  let time = 0;
  let gradients = 0;
  const inner = referenceModel({ kind: "mlp", inputs: 4, classes: 3, hidden: [5], activation: "tanh" });
  const model: Model = {
    ...inner,
    valueAndGradient: (...request) => {
      time += stepMs;
      gradients += 1;
      return inner.valueAndGradient(...request);
    },
  };
  const lines: Record<string, unknown>[] = [];
  const resourceOf = (stated: number | "measured" | undefined, client: ClientConfig | undefined) =>
    memberResource(stated, {
      run: { params: { commitBlocks: 20 }, recipe: { training, ...(client === undefined ? {} : { client }) } },
      model,
      shard,
      random: keyedRandom("calibration"),
      blockSeconds: async () => blockSeconds ?? undefined,
      logger: { ...SILENT, info: (fields, message) => lines.push({ ...fields, message }) },
      signal: new AbortController().signal,
      now: () => time,
    });
  /** Gradients of one round with that resource. */
  const gradientsOf = async (resource: number | undefined, client: ClientConfig): Promise<number> => {
    const algorithm = localAlgorithm(client, training, model);
    const state = gaussian(model.parameterCount, 0.1);
    const task = { run: 1n, round: 1, state, local: {}, participation: 1 };
    gradients = 0;
    await localTraining({ algorithm, model, shard, seed: "s", resource }).train(task, new AbortController().signal);
    return gradients;
  };
  return { resourceOf, gradientsOf, lines, gradients: () => gradients };
}

describe("what a member's machine can do", () => {
  it("is measured over the blocks that a round gives, and the tier follows: more gradients on a faster machine", async () => {
    // 20 blocks of 0.1 s for four steps: 250 ms a step is r = 2, 125 ms 4, 100 ms 5, 500 ms 1.
    const expected = [
      [100, 5, { method: "hmsdfl", projections: 3 }, 4 * (1 + 3 * 3)],
      [125, 4, { method: "hmsdfl", projections: 2 }, 4 * (1 + 3 * 2)],
      [250, 2, { method: "hmsdfl", projections: 1 }, 4 * (1 + 3)],
      [500, 1, { method: "standard" }, 4],
    ] as const;
    for (const [stepMs, r, tier, gradients] of expected) {
      const one = member({ stepMs });
      const resource = await one.resourceOf("measured", TIERS);
      assert.ok(Math.abs((resource as number) - r) < 1e-9, `${resource}`);
      assert.equal(one.gradients(), 5, "five batches of plain training");
      assert.deepEqual(one.lines, [
        {
          resource,
          stepsPerSecond: 1000 / stepMs,
          steps: 4,
          deadlineSeconds: 2,
          tier,
          message: "measured what this machine can do",
        },
      ]);
      assert.equal(await one.gradientsOf(resource, TIERS), gradients);
    }
  });

  it("decides the share of FedProx's steps where work may be partial", async () => {
    const slow = member({ stepMs: 1000 });
    const resource = await slow.resourceOf("measured", PARTIAL);
    assert.equal(resource, 0.5);
    assert.equal(slow.lines[0]?.["shareOfSteps"], 0.5);
    assert.equal(await slow.gradientsOf(resource, PARTIAL), 2);
  });

  it("is the operator's number where one is stated, and nothing is measured", async () => {
    const stated = member();
    assert.equal(await stated.resourceOf(3.5, TIERS), 3.5);
    assert.equal(await stated.resourceOf(undefined, TIERS), undefined);
    assert.equal(stated.gradients(), 0);
    assert.deepEqual(
      stated.lines.map(({ resource }) => resource),
      [3.5],
    );
  });

  it("is not measured for a recipe that does not ask", async () => {
    for (const client of NOT_ASKING) {
      const idle = member({ blockSeconds: null });
      assert.equal(await idle.resourceOf("measured", client), undefined);
      assert.equal(idle.gradients(), 0);
      assert.match(String(idle.lines[0]?.["message"]), /does not ask/);
    }
  });

  it("is refused where the chain does not tell how long a block is: the operator states a number", async () => {
    const lost = member({ blockSeconds: null });
    await assert.rejects(lost.resourceOf("measured", TIERS), { code: "BAD_CONFIG", message: /state a number/ });
    assert.equal(lost.gradients(), 0);
  });
});
