// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { Contributions } from "../../../src/simulation/laboratory/contributions.ts";
import { CENTRAL, laboratory } from "./laboratory.ts";

const base = {
  members: 5,
  rounds: 2,
  data: { name: "s-mix", s: 1.2, samples: 500, testSamples: 100 },
  partition: { kind: "iid" },
  serverData: { validation: 100 },
  model: { kind: "mlp", hidden: [8], activation: "tanh" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.2, momentum: 0 },
  attack: { name: "free-rider", count: 1, sends: "zero" },
};
const { cellOf, run } = laboratory(base);

const METHODS = {
  exact: { evaluations: 31, error: 0 },
  "monte-carlo": { evaluations: 31, error: 0.15 },
  truncated: { evaluations: 31, error: 0.2 },
  gtg: { evaluations: 31, error: 0.15 },
  "in-run-1": { evaluations: 1, error: 1 },
  "in-run-2": { evaluations: 2, error: 1 },
  cosine: { evaluations: 0, error: undefined },
} as const;

test("every method scores the free rider last and pays the pool, at its own cost", async () => {
  const plain = await run({});
  for (const [method, { evaluations, error }] of Object.entries(METHODS)) {
    const { figures, head } = await run({ scoring: { method, permutations: 50, truncation: 0, compare: true } });
    assert.ok((figures.scoreEvaluations as number) <= evaluations, `${method}: ${figures.scoreEvaluations}`);
    if (["exact", "in-run-1", "in-run-2", "cosine"].includes(method))
      assert.equal(figures.scoreEvaluations, evaluations);
    assert.equal(figures.honestBelowAttackers, 0, method);
    assert.equal(figures.poolMissing, 0, method);
    assert.equal(figures.poolRefunded, 0, method);
    assert.ok((figures.attackersReward as number) < 0.2, method);
    if (error === undefined) assert.equal(figures.scoreError, undefined);
    else assert.ok((figures.scoreError as number) <= error, `${method}: ${figures.scoreError}`);
    assert.ok((figures.scoreRank as number) > 0.5, `${method}: ${figures.scoreRank}`);
    assert.equal(head, plain.head, "a rule that does not weigh by scores does not see them");
  }
});

test("a method that is left out is monte-carlo; without a comparison nothing exact is computed", async () => {
  const [named, unnamed] = [
    await run({ scoring: { method: "monte-carlo", permutations: 4 } }),
    await run({ scoring: { permutations: 4 } }),
  ];
  assert.deepEqual(named.figures, unnamed.figures);
  assert.equal(unnamed.figures.scoreError, undefined);
  assert.ok((unnamed.figures.scoreEvaluations as number) < 31);
});

const FEDATT = { rule: "fedatt", parameters: { attention: "cosine", scope: "model", stepSize: 1, temperature: 1 } };

test("cosines need no samples; everything else does, and exact values at most ten members", () => {
  assert.ok(cellOf({ serverData: { validation: 0 }, scoring: { method: "cosine" } }));
  const refused = (change: Record<string, unknown>, why: RegExp) => assert.throws(() => cellOf(change), why);
  refused({ serverData: { validation: 0 }, scoring: { method: "cosine", compare: true } }, /serverData\.validation/);
  refused({ serverData: { validation: 0 }, scoring: { method: "gtg" } }, /serverData\.validation/);
  refused({ members: 11, scoring: { method: "exact" } }, /at most 10/);
  refused({ members: 11, scoring: { compare: true } }, /at most 10/);
  assert.ok(cellOf({ members: 20, participation: 0.5, scoring: { method: "exact" } }));
  const poisson = {
    participation: 0.5,
    aggregation: { rule: "uniform-mean" },
    privacy: { ...CENTRAL, sampling: { kind: "poisson", rate: 0.5, published: false } },
  };
  for (const scoring of [{ method: "exact" }, { compare: true }]) {
    refused({ ...poisson, members: 11, scoring }, /Poisson sampling may draw everybody/);
    assert.ok(cellOf({ ...poisson, members: 10, scoring }));
  }
  refused({ scoring: { method: "cosine" }, aggregation: FEDATT }, /one weight/);
});

test("coalitions by the rule: under the mean as by weights, under other rules as these decide", async () => {
  for (const [aggregation, same] of [
    [{ rule: "uniform-mean" }, true],
    [{ rule: "trimmed-mean", parameters: { trim: 1 } }, false],
    [{ rule: "multi-krum", parameters: { byzantine: 1 } }, false],
  ] as const) {
    const scored = (coalitions: string) => run({ aggregation, scoring: { method: "exact", coalitions } });
    const [weights, rule] = [await scored("weights"), await scored("rule")];
    assert.equal(rule.head, weights.head, "scores decide nothing here");
    assert.equal(rule.figures.poolMissing, 0);
    assert.equal(rule.figures.scoreEvaluations, 31, "everybody plays, also who is not kept");
    // λ restricted and rounded is the mean of the few up to 2^-16.
    const apart = Math.abs((rule.figures.attackersReward as number) - (weights.figures.attackersReward as number));
    assert.equal(apart < 1e-4, same, `${aggregation.rule}: ${apart}`);
  }
});

test("coalitions by the rule need a method that asks for them, and count everybody", () => {
  const refused = (scoring: Record<string, unknown>, why: RegExp) => assert.throws(() => cellOf({ scoring }), why);
  for (const method of ["in-run-1", "in-run-2", "cosine"])
    refused({ method, coalitions: "rule" }, new RegExp(`scoring.method ${method} .* asks for no coalitions`));
  for (const method of ["exact", "monte-carlo", "truncated", "gtg", undefined])
    assert.ok(cellOf({ scoring: { ...(method === undefined ? {} : { method }), coalitions: "rule" } }));
  assert.ok(cellOf({ scoring: { method: "in-run-1", coalitions: "weights" } }));
  refused({ coalitions: "model" }, /coalitions/);
});

test("scores of a run are sums over its rounds, and who is absent adds nothing", () => {
  const contributions = new Contributions([1, 2, 3], new Set([3]), true);
  assert.deepEqual(contributions.figures(), {});
  contributions.add({ members: [1, 2, 3], scores: [300, 100, -10], exact: [300, 140, 0], evaluations: 7 });
  contributions.add({ members: [2, 3], scores: [100, -10], exact: [60, 0], evaluations: 4 });
  // Sums 300, 200, −20 against 300, 200, 0; participation 1, 2, 0.
  const { scoreError, ...figures } = contributions.figures();
  assert.ok(Math.abs((scoreError as number) - 20 / Math.sqrt(300 * 300 + 200 * 200)) < 1e-15);
  assert.deepEqual(figures, {
    scoreEvaluations: 5.5,
    poolMissing: 0,
    poolRefunded: 0,
    scoreRank: 1,
    honestBelowAttackers: 0,
    attackersReward: 0,
  });
});

test("an honest member below an attacker is counted, and the attacker is paid", () => {
  const contributions = new Contributions([1, 2], new Set([2]), false);
  contributions.add({ members: [1, 2], scores: [-5, 1], evaluations: 0 });
  assert.deepEqual(contributions.figures(), {
    scoreEvaluations: 0,
    poolMissing: 0,
    poolRefunded: 0,
    honestBelowAttackers: 1,
    attackersReward: 1,
  });
});

test("where nobody scores above 0 nothing is paid, which shows as refunded and not as missing", () => {
  const contributions = new Contributions([1, 2], new Set(), false);
  contributions.add({ members: [1, 2], scores: [-5, 0], evaluations: 0 });
  assert.deepEqual(contributions.figures(), { scoreEvaluations: 0, poolMissing: 0, poolRefunded: 1 });
});
