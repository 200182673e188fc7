// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { CENTRAL, laboratory } from "./laboratory.ts";

const { cellOf } = laboratory({
  members: 10,
  rounds: 2,
  data: { name: "s-mix" },
  partition: { kind: "iid" },
  model: { kind: "logistic" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.1, momentum: 0 },
  aggregation: { rule: "uniform-mean" },
});

const { errorFeedback: _, ...account } = CENTRAL;
const serverOptimiser = { name: "fedavgm", learningRate: 0.5, momentum: 0.9 };
const record = { ...account, mode: "record", loss: { clip: 5, noiseMultiplier: 1 } };
const scored = { scoring: {}, serverData: { validation: 50 } };
const distributed = { ...CENTRAL, mode: "distributed", colluders: 0 };
const server = { name: "fedredefense" };
const samples = { serverData: { samples: 50 } };

/** Two halves, each of which is fine without the other, and why not both. */
const APART: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>, RegExp])[] = [
  [
    "tensors beside the model and a server optimiser",
    { client: { name: "scaffold" } },
    { serverOptimiser },
    /sends tensors beside the model, which a server optimiser would move/,
  ],
  [
    "losses that travel and bounds that would cut them",
    { client: { name: "fedeba", modelAlpha: 0.1, switchAngle: 15 } },
    { update: { maxCoordinate: 0.5 } },
    /numbers up to 1, which update.maxCoordinate would cut/,
  ],
  [
    "the mean over senders and a codec that says things later",
    { aggregation: { rule: "mean-of-senders", parameters: { prior: "samples" } } },
    { update: { codec: { name: "topk-int8", blockSize: 64, keepShare: 0.1 } } },
    /who sent a tensor says nothing/,
  ],
  [
    "privacy and a server strategy",
    { privacy: CENTRAL },
    { server, ...samples },
    /what it learns from them is not covered by the noise/,
  ],
  [
    "scores and a server strategy",
    scored,
    { server, serverData: { samples: 50, validation: 50 } },
    /something else of them/,
  ],
  [
    "central noise and a server optimiser",
    { privacy: CENTRAL },
    { serverOptimiser },
    /whose steps no clip norm bounds/,
  ],
  [
    "distributed noise and updates that are refused",
    { privacy: distributed },
    { attack: { name: "non-finite", count: 1 } },
    /take their part of the distributed noise with them/,
  ],
  [
    "privacy of records and a client algorithm",
    { privacy: record },
    { client: { name: "fedprox" } },
    /a way of training of its own/,
  ],
];

for (const [name, one, other, reason] of APART)
  test(`refused together and not apart: ${name}`, () => {
    assert.doesNotThrow(() => cellOf(one));
    assert.doesNotThrow(() => cellOf(other));
    assert.throws(() => cellOf({ ...one, ...other }), reason);
  });

test("several attacks have the same attackers, however their number is said", () => {
  const attacks = (second: Record<string, unknown>) => ({
    attack: [
      { name: "negation", count: 2 },
      { name: "label-flip", ...second },
    ],
  });
  assert.doesNotThrow(() => cellOf(attacks({ fraction: 0.2 })));
  assert.throws(() => cellOf(attacks({ count: 3 })), /carried out by the same attackers; say the same count/);
  assert.throws(() => cellOf(attacks({ fraction: 0.3 })), /carried out by the same attackers/);
});
