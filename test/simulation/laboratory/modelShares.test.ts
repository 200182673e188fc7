// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { codecSchema } from "../../../src/protocol/recipe/codecConfig.ts";
import { privacySchema } from "../../../src/protocol/recipe/privacyConfig.ts";
import { federationSchema } from "../../../src/simulation/laboratory/cellConfig.ts";
import { assemble } from "../../../src/simulation/laboratory/federation.ts";
import { sized } from "../../../src/simulation/laboratory/modelShares.ts";
import { recipeOf } from "../../../src/simulation/onChain/recipeOf.ts";
import { laboratory } from "./laboratory.ts";

const CELL = {
  members: 4,
  rounds: 2,
  data: { name: "s-mix", samples: 200, testSamples: 50 },
  partition: { kind: "iid" },
  model: { kind: "logistic" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.1, momentum: 0 },
};
const { run, surroundings } = laboratory(CELL);
const cellOf = (change: object) => federationSchema.parse({ ...CELL, ...change });
const LOCAL = {
  mode: "local",
  clipNorm: 1,
  noiseMultiplier: 2,
  budget: { epsilon: 4, delta: 1e-5 },
  loss: { clip: 4, noiseMultiplier: 20 },
};
const TOPK = { name: "topk-int8", blockSize: 64 };
const RANDK = { name: "randk-int16", blockSize: 64, unbiased: false };

test("a share becomes max(1, round(γd)) wherever a cell counts coordinates, and a count stays", () => {
  const cell = cellOf({
    update: { codec: { ...TOPK, keepShare: 0.05 }, downlink: { ...RANDK, keepShare: 0.25, history: 3 } },
    privacy: { ...LOCAL, pipeline: { name: "paper", errorFeedback: true, keepShare: 0.001 } },
  });
  // γd = 5.5, 27.5 and 0.11; halves are rounded up.
  const { update, privacy } = sized(cell, 110);
  assert.deepEqual(update.codec, { ...TOPK, keep: 6 });
  assert.deepEqual(update.downlink, { ...RANDK, keep: 28, history: 3 });
  assert.deepEqual(privacy, { ...LOCAL, pipeline: { name: "paper", errorFeedback: true, keep: 1 } });
  assert.ok(
    codecSchema.safeParse(update.codec).success && privacySchema.safeParse(privacy).success,
    "as a recipe has it",
  );
  const counted = cellOf({ update: { codec: { ...TOPK, keep: 7 } } });
  assert.deepEqual(sized(counted, 110), counted);
});

test("every share of every model is at least one coordinate and at most all", () => {
  const share = fc.double({ min: 1e-9, max: 1, noNaN: true });
  fc.assert(
    fc.property(share, fc.integer({ min: 1, max: 2 ** 28 }), (keepShare, size) => {
      const { codec } = sized(cellOf({ update: { codec: { ...RANDK, keepShare } } }), size).update;
      assert.ok("keep" in codec && codec.keep >= 1 && codec.keep <= size);
      assert.ok(Math.abs(codec.keep - keepShare * size) <= 1);
    }),
  );
});

test("count and share together, and neither, are refused, as is a share that is none", () => {
  const refused = (change: object, why: RegExp) => assert.throws(() => cellOf(change), why);
  const ONCE = /either keep, a number of coordinates, or keepShare/;
  for (const codec of [TOPK, RANDK]) {
    refused({ update: { codec } }, ONCE);
    refused({ update: { codec: { ...codec, keep: 3, keepShare: 0.1 } } }, ONCE);
    refused({ update: { downlink: codec } }, ONCE);
    for (const keepShare of [0, -0.1, 1.1]) refused({ update: { codec: { ...codec, keepShare } } }, /keepShare/);
  }
  const paper = { name: "paper", errorFeedback: true };
  refused({ privacy: { ...LOCAL, pipeline: paper } }, ONCE);
  refused({ privacy: { ...LOCAL, pipeline: { ...paper, keep: 3, keepShare: 0.1 } } }, ONCE);
  refused({ update: { codec: { name: "int8", blockSize: 64, keepShare: 0.1 } } }, /keepShare/);
});

test("a published recipe has counts alone", () => {
  assert.ok(!codecSchema.safeParse({ ...TOPK, keepShare: 0.1 }).success);
  assert.ok(
    !privacySchema.safeParse({ ...LOCAL, pipeline: { name: "paper", errorFeedback: true, keepShare: 0.1 } }).success,
  );
});

test("a cell with a share is the cell with its count, to the bit", async () => {
  const { parameters, ...first } = await run({ update: { codec: { ...TOPK, keepShare: 0.1 } } });
  const keep = Math.round(0.1 * parameters);
  const second = await run({ update: { codec: { ...TOPK, keep } } });
  assert.equal(first.head, second.head);
  assert.deepEqual(first.traffic, second.traffic);
  const other = await run({ update: { codec: { ...TOPK, keep: keep + 1 } } });
  assert.notEqual(first.head, other.head);
});

test("the run that a cell becomes on chain has the count", async () => {
  const federation = await assemble(cellOf({ update: { codec: { ...TOPK, keepShare: 0.1 } } }), 1, surroundings());
  const { codec } = recipeOf(federation, "a run").update;
  assert.deepEqual(codec, { ...TOPK, keep: Math.round(0.1 * federation.layout.size) });
});
