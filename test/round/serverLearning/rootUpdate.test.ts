// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { initialiseParameters } from "../../../src/learning/layout.ts";
import type { LearningEngine, Model } from "../../../src/learning/model.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { chooseSamples } from "../../../src/round/serverLearning/chooseSamples.ts";
import { flTrustRoot, rootUpdate } from "../../../src/round/serverLearning/rootUpdate.ts";
import type { FloatVector } from "../../../src/round/serverLearning/strategy.ts";
import { cosine } from "../../../src/round/serverLearning/vectors.ts";
import { CONFIG, clusters, honestUpdates, mean, PLAN } from "./federation.ts";

describe("FLTrust's root update", () => {
  let engine: LearningEngine;
  let model: Model;
  const start = initialiseParameters(CONFIG, keyedRandom("start"));
  before(async () => {
    engine = await createOnnxNodeEngine();
    model = await engine.load(CONFIG);
  });
  after(() => engine.dispose());

  it("points where honest members' updates point, and away from their negation", async () => {
    const root = chooseSamples(clusters("server", 300), 100, keyedRandom("server"));
    assert.equal(root.size, 100);
    const { delta } = await rootUpdate(model, start, root, PLAN, keyedRandom("round", 1));
    for (const { delta: honest } of await honestUpdates(model, start, 4)) assert.ok(cosine(delta, honest) > 0.4);
  });

  it("is handed to the base aggregation as its reference, the same from the same key", async () => {
    const root = clusters("root", 50);
    const updates = await honestUpdates(model, start, 2);
    const references: FloatVector[] = [];
    const strategy = flTrustRoot(model, root, PLAN);
    const run = async () => {
      const { outcome } = await strategy.aggregate(undefined, {
        round: 1,
        parameters: start,
        updates,
        random: keyedRandom("run", 1),
        base: async (given, reference) => {
          references.push(reference as FloatVector);
          return mean(given);
        },
      });
      return outcome;
    };
    assert.deepEqual(await run(), await run());
    assert.equal(references.length, 2);
    assert.deepEqual(references[0], references[1]);
    assert.equal(references[0]?.length, model.parameterCount);
  });

  it("chooses distinct samples, and refuses more than there are", () => {
    const data = { ...clusters("small", 10), features: Float32Array.from({ length: 40 }, (_, i) => Math.floor(i / 4)) };
    const chosen = chooseSamples(data, 6, keyedRandom("root"));
    assert.equal(new Set(chosen.features).size, 6);
    assert.throws(() => chooseSamples(data, 11, keyedRandom("root")), { code: "BAD_CONFIG" });
  });
});
