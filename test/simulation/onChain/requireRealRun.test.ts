// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { readYaml } from "../../../src/process/readYaml.ts";
import { ConfigError } from "../../../src/protocol/errors.ts";
import { cellsOf, parseExperiment } from "../../../src/simulation/laboratory/experimentConfig.ts";
import { leastAccepted } from "../../../src/simulation/onChain/recipeOf.ts";
import { requireRealRuns } from "../../../src/simulation/onChain/requireRealRun.ts";
import { onChain } from "../../../src/simulation/onChain/runExperimentOnChain.ts";

const base = {
  members: 8,
  rounds: 3,
  data: { name: "s-mix", s: 1.2, samples: 800, testSamples: 200 },
  partition: { kind: "iid" },
  model: { kind: "mlp", hidden: [16], activation: "tanh" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.3, momentum: 0 },
};
const experiment = (choices: Record<string, Record<string, unknown>>) =>
  parseExperiment({ name: "made-up", title: "Made up", seeds: [1, 2], base, axes: { x: choices } }, "made-up.yaml");
const refuse = (change: Record<string, unknown>) =>
  assert.throws.bind(assert, () => requireRealRuns(cellsOf(experiment({ one: change }))));
const attack = (how: Record<string, unknown>) => ({ attack: { count: 2, ...how } });

describe("cells that run with chain and store", () => {
  it("are those that a consortium could open as a run", () => {
    const possible = experiment({
      plain: {},
      scaffold: { client: { name: "scaffold" } },
      "a random mask": { update: { codec: { name: "randk-int16", keep: 100, blockSize: 64, unbiased: true } } },
      "a server optimiser": {
        serverOptimiser: { name: "fedadam", learningRate: 0.05, beta1: 0.9, beta2: 0.99, tau: 0.001 },
      },
      krum: { aggregation: { rule: "krum", parameters: { byzantine: 2 } } },
      "large cohorts": { members: 32, participation: 0.5 },
      flipped: attack({ name: "label-flip" }),
      negated: attack({ name: "negation" }),
      scaled: attack({ name: "scaling", scale: 5 }),
      garbage: attack({ name: "non-finite" }),
      noisy: attack({ name: "gaussian-noise", collusion: false }),
      corrupted: attack({ name: "weight-corruption", count: 1 }),
      "one by one": {
        attack: [
          { name: "label-flip", count: 1 },
          { name: "gaussian-noise", count: 1 },
        ],
      },
    });
    const cells = cellsOf(possible);
    assert.deepEqual(requireRealRuns(cells), cells);
  });

  const REFUSED: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ["more members than a circuit has slots", { members: 33 }, /33 members; the largest loss circuit takes 32/],
    ["fewer members than hide each other's loss", { members: 2 }, /2 members; .* at least 3 updates/],
    [
      "fewer members than the rule needs",
      { members: 6, aggregation: { rule: "krum", parameters: { byzantine: 2 } } },
      /6 members; with krum a round accepts at least 7/,
    ],
    ["cohorts that are too small too often", { participation: 0.5 }, /fewer than 3 members with probability 0\.14/],
    [
      "rules that decide from what a run does not have",
      { aggregation: { rule: "fairfed", parameters: { beta: 0.5, metric: "accuracy" } } },
      /accuracies/,
    ],
    ["compressed downlinks", { update: { downlink: { name: "int8", blockSize: 64 } } }, /downlink/],
    ["members that forget what they left unsaid", { update: { errorFeedback: false } }, /errorFeedback/],
    ["attacks on what others send", attack({ name: "min-max" }), /min-max needs the others' updates/],
    ["negation of the mean", attack({ name: "negation", of: "mean" }), /set attack\.of to own/],
    ["scaling by an unknown number", attack({ name: "scaling" }), /set attack\.scale/],
    ["shared randomness", attack({ name: "gaussian-noise" }), /set attack\.collusion to false/],
    [
      "shared randomness of the attackers of an earlier attack",
      {
        attack: [
          { name: "label-flip", count: 2 },
          { name: "weight-corruption", count: 2 },
        ],
      },
      /set attack\.collusion to false/,
    ],
    [
      "several attacks by different attackers",
      {
        attack: [
          { name: "label-flip", count: 2 },
          { name: "weight-corruption", count: 1 },
        ],
      },
      /carried out by the same attackers; say the same count/,
    ],
    [
      "exact scores of a cohort that may be larger than they take",
      { members: 16, serverData: { validation: 40 }, scoring: { method: "exact" }, participation: 0.6 },
      /16 members; exact scores are of at most 10 updates/,
    ],
    ["samples that nobody was admitted with", attack({ name: "report-inflation" }), /samplesFactor/],
  ];
  for (const [what, change, because] of REFUSED)
    it(`are not ${what}`, () =>
      refuse(change)((error: Error) => error instanceof ConfigError && because.test(error.message)));

  it("are refused all at once, each reason with the choices that it holds for", () => {
    const both = experiment({
      plain: {},
      attacked: attack({ name: "lie" }),
      many: { members: 64 },
      more: { members: 64, rounds: 4 },
    });
    assert.throws(
      () => requireRealRuns(cellsOf(both)),
      /x attacked: the attack lie needs[^\n]*\n {2}x many; x more: 64 members/,
    );
  });

  it("are no studies", () => {
    const study = parseExperiment(
      { name: "made-up", title: "Made up", seeds: [1], base: { study: { name: "alignment" } } },
      "made-up.yaml",
    );
    assert.throws(() => requireRealRuns(cellsOf(study)), /no federation/);
  });

  it("keep their results under a name of their own, without the laboratory's row of acceptance", () => {
    const { name, row, title } = onChain({ ...experiment({ one: {} }), row: "S-X" });
    assert.deepEqual([name, row, title], ["made-up-on-chain", undefined, "Made up (with chain and store)"]);
    assert.throws(() => onChain({ ...experiment({ one: {} }), name: "n".repeat(60) }), ConfigError);
  });
});

describe("experiments that come with Foedus", () => {
  it("are each either possible on a chain or refused with a reason", async () => {
    const folder = new URL("../../../experiments/", import.meta.url).pathname;
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".yaml"))) {
      const cells = cellsOf(parseExperiment(await readYaml(folder + file, ""), file));
      try {
        for (const { config } of requireRealRuns(cells)) assert.ok(config.members >= leastAccepted(config), file);
      } catch (error) {
        assert.ok(error instanceof ConfigError && /\n {2}[^\n]+: /.test(error.message), `${file}: ${String(error)}`);
      }
    }
  });
});
