// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { initialiseParameters } from "../../src/learning/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { prepareRun } from "../../src/round/prepareRun.ts";
import { demoRecipe } from "../../src/simulation/demoRecipe.ts";
import { openMemoryStore } from "../../src/storage/memoryStore.ts";

test("a grid too fine for losses squared is refused before anything is published", async () => {
  const demo = demoRecipe(4, 2);
  const losses = { name: "fedeba.losses", shape: [2], fractionBits: 21, group: 0 };
  const parameters = initialiseParameters(demo.model, keyedRandom("prepareRun"));
  await assert.rejects(prepareRun(await openMemoryStore(), { ...demo, layout: [...demo.layout, losses] }, parameters), {
    code: "BAD_CONFIG",
    message: /fedeba.losses has 21 fraction bits/,
  });
});
