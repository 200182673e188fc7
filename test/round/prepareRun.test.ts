// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { initialiseParameters } from "../../src/learning/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { prepareRun } from "../../src/round/prepareRun.ts";
import { demoRecipe } from "../../src/simulation/demoRecipe.ts";
import { openMemoryStore } from "../../src/storage/memoryStore.ts";

test("bounds that would cut the losses of FedEBA+ are refused before anything is published", async () => {
  const demo = demoRecipe(4, 2);
  const losses = { name: "fedeba.losses", shape: [2], fractionBits: 23, group: 0 };
  const parameters = initialiseParameters(demo.model, keyedRandom("prepareRun"));
  await assert.rejects(prepareRun(await openMemoryStore(), { ...demo, layout: [...demo.layout, losses] }, parameters), {
    code: "BAD_CONFIG",
    message: /update.maxCoordinate lets 0\.\d+ through/,
  });
});

test("the mean over senders needs updates and a layout that show who sent a tensor", async () => {
  const demo = demoRecipe(4, 2);
  const aggregation = { rule: "mean-of-senders", parameters: { prior: "samples" } } as const;
  const parameters = initialiseParameters(demo.model, keyedRandom("prepareRun"));
  const store = await openMemoryStore();
  const layout = demo.layout.map((tensor, group) => ({ ...tensor, group }));
  const codec = { name: "topk-int8", blockSize: 64, keep: 100 } as const;
  await assert.rejects(
    prepareRun(store, { ...demo, aggregation, layout, update: { ...demo.update, codec } }, parameters),
    { code: "BAD_CONFIG", message: /topk-int8 sends a coordinate when enough has waited/ },
  );
  await assert.rejects(prepareRun(store, { ...demo, aggregation }, parameters), {
    code: "BAD_CONFIG",
    message: /1 groups, and its \d+ tensors share them/,
  });
});
