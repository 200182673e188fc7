// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCell } from "../../../src/simulation/laboratory/cellConfig.ts";
import {
  METHODS,
  methodsFor,
  obstacleTo,
  requireEnoughLeft,
  requireForgettable,
} from "../../../src/simulation/unlearning/methods.ts";
import { federationOf } from "./cell.ts";

const privacy = { clipNorm: 1, noiseMultiplier: 1, budget: { epsilon: 10, delta: 1e-5 } };

describe("who can be forgotten", () => {
  const refusals: readonly (readonly [name: string, recipe: object, member: number, reason: RegExp])[] = [
    ["a member that does not exist", {}, 7, /no member 7: the federation has members 1 … 6/],
    ["with an asynchronous schedule", { schedule: { name: "fedbuff", buffer: 2 } }, 1, /leave `schedule` out/],
    ["in groups that overlap", { server: { name: "flcert-p", groups: 3, groupSize: 2 } }, 1, /take flcert-d/],
    ["with layers of their own", { client: { name: "partial", local: ["layer1.bias"] } }, 1, /no model of all/],
    [
      "functional aggregation",
      { client: { name: "functional", samples: 50 }, server: { name: "functional" } },
      1,
      /no model of all/,
    ],
    [
      "a cohort that is too small anyhow",
      { participation: 0.3, aggregation: { rule: "coordinate-median" } },
      1,
      /every round fails/,
    ],
  ];
  for (const [name, recipe, member, reason] of refusals)
    it(`nobody: ${name}`, () =>
      assert.throws(() => requireForgettable(federationOf(recipe), member), { code: "BAD_CONFIG", message: reason }));

  it("nobody: a study", () =>
    assert.throws(() => requireForgettable(parseCell({ study: { name: "unlearning" } }), 1), /a study \(unlearning\)/));

  it("nobody: where too few of those who made the model would be left", () => {
    const median = federationOf({ aggregation: { rule: "coordinate-median" } });
    assert.throws(() => requireEnoughLeft(median, 1, [1, 4, 6]), {
      code: "BAD_CONFIG",
      message: /needs 3 and 2 would be left/,
      values: { member: 1, needed: 3, left: 2 },
    });
    assert.doesNotThrow(() => requireEnoughLeft(median, 1, [1, 2, 4, 6]));
    assert.throws(() => requireEnoughLeft(federationOf({}), 1, [1]), /needs 1 and 0 would be left/);
    const groups = federationOf({ server: { name: "flcert-d", groups: 2 } });
    assert.throws(() => requireEnoughLeft(groups, 1, [1]), /no round of its group/);
  });

  it("a member of cohorts that are drawn, though the rounds with it may fail", () =>
    assert.doesNotThrow(() =>
      requireForgettable(federationOf({ participation: 0.5, aggregation: { rule: "coordinate-median" } }), 1),
    ));
});

describe("how", () => {
  const possible: readonly (readonly [name: string, recipe: object, methods: readonly string[]])[] = [
    ["federated averaging", {}, ["exact", "recompute", "eraser"]],
    ["an ensemble of groups", { server: { name: "flcert-d", groups: 2 } }, ["sharded"]],
    ["a robust rule", { aggregation: { rule: "coordinate-median" } }, ["exact", "recompute"]],
    [
      "a server optimiser",
      { serverOptimiser: { name: "fedavgm", learningRate: 1, momentum: 0.9 } },
      ["exact", "recompute"],
    ],
    ["adapters alone", { client: { name: "adapters" } }, ["exact", "recompute", "eraser"]],
    ["blocks left out", { client: { name: "droppeft", trains: "adapters" } }, ["exact", "recompute", "eraser"]],
    ["factors of weights", { client: { name: "lora", mode: "stack" } }, ["exact", "recompute"]],
    ["control variates", { client: { name: "scaffold" } }, ["exact", "recompute"]],
    ["attackers", { attack: { name: "negation", count: 1 } }, ["exact", "recompute"]],
    [
      "only sums are seen",
      { privacy: { mode: "distributed", ...privacy, errorFeedback: false, colluders: 0 } },
      ["exact"],
    ],
    ["the server adds noise", { privacy: { mode: "central", ...privacy, errorFeedback: false } }, ["exact"]],
    [
      "records are private",
      { privacy: { mode: "record", ...privacy, loss: { clip: 1, noiseMultiplier: 1 } } },
      ["exact", "recompute"],
    ],
  ];
  for (const [name, recipe, methods] of possible)
    it(`${name}: ${methods.join(", ")}, and reasons against the others`, () => {
      const cell = federationOf(recipe);
      const found = methodsFor("all", cell);
      assert.deepEqual(found.methods, methods);
      assert.deepEqual(
        found.leftOut.map(({ method }) => method),
        METHODS.filter((method) => !methods.includes(method)),
      );
      for (const method of METHODS) {
        if (methods.includes(method)) assert.deepEqual(methodsFor(method, cell).methods, [method]);
        else
          assert.throws(() => methodsFor(method, cell), {
            code: "BAD_CONFIG",
            message: `--method ${method}: ${obstacleTo(method, cell)}.`,
          });
      }
    });
});
