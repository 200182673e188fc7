// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { aggregationSchema } from "../../../src/protocol/recipe/aggregationConfig.ts";
import { FACTUAL, nameOf, RULES } from "../../aggregation/fixtures.ts";

const takes = (value: unknown): boolean => aggregationSchema.safeParse(value).success;

describe("aggregation schema", () => {
  for (const config of [...RULES, ...FACTUAL])
    it(`takes ${nameOf(config)} as it is`, () => assert.deepEqual(aggregationSchema.parse(config), config));

  for (const config of FACTUAL)
    it(`has no step before ${nameOf(config)}`, () =>
      assert.ok(!takes({ ...config, before: [{ step: "nearest-neighbour-mixing", byzantine: 1 }] })));

  const eba = { temperature: 1, prior: "uniform" };
  const cosine = { attention: "cosine", temperature: 0.1, scope: "layer", stepSize: 1 };
  const staleness = { decay: "polynomial", exponent: 0.5, limit: 20 };
  for (const [what, value] of [
    ["FedAtt's step beyond the whole weight", { rule: "fedatt", parameters: { ...cosine, stepSize: 1.2 } }],
    ["no temperature for attention", { rule: "fedatt", parameters: { ...cosine, temperature: 0 } }],
    ["attention by both", { rule: "fedatt", parameters: { ...cosine, relative: true } }],
    ["FedEBA+'s model alignment", { rule: "fedeba", parameters: { ...eba, alignment: 0.1 } }],
    ["a negative temperature", { rule: "fedeba", parameters: { ...eba, temperature: -1 } }],
    ["clipping to nothing", { rule: "fedeba", parameters: { ...eba, capMads: 0 } }],
    ["a learning rate of 0", { rule: "q-fedavg", parameters: { q: 1, learningRate: 0 } }],
    ["κ above 1", { rule: "spfl", parameters: { weighting: "ratio", fair: { kappa: 1.1, ...eba } } }],
    ["a metric nobody reports", { rule: "fairfed", parameters: { beta: 1, metric: "auroc" } }],
    ["mixing beyond the whole weight", { rule: "fedasync", parameters: { staleness, mixing: 1.01 } }],
    ["a step beyond the whole weight", { rule: "fedbuff", parameters: { staleness, stepSize: 2, prior: "uniform" } }],
    [
      "both decays",
      { rule: "fedbuff", parameters: { staleness: { ...staleness, slope: 1 }, stepSize: 1, prior: "uniform" } },
    ],
    ["parameters of a rule without", { rule: "fltrust", parameters: {} }],
    ["the same step twice", { rule: "uniform-mean", before: [{ step: "without-copies" }, { step: "without-copies" }] }],
  ] as const)
    it(`refuses ${what}`, () => assert.ok(!takes(value)));
});
