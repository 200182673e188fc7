// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CellResult } from "../../../src/simulation/laboratory/cellResult.ts";
import { type Claim, claimSchema, judgeClaims } from "../../../src/simulation/laboratory/claims.ts";
import { resultOf } from "./results.ts";

const results = [
  resultOf({ rule: "mean", attack: "none" }, 1, { accuracy: 0.74 }),
  resultOf({ rule: "mean", attack: "none" }, 2, { accuracy: 0.76 }),
  resultOf({ rule: "mean", attack: "noise" }, 1, { accuracy: 0.4 }),
  resultOf({ rule: "mean", attack: "noise" }, 2, { accuracy: 0.5 }),
  resultOf({ rule: "krum", attack: "none" }, 1, { accuracy: 0.7 }),
  resultOf({ rule: "krum", attack: "none" }, 2, { accuracy: 0.7 }),
  resultOf({ rule: "krum", attack: "noise" }, 1, { accuracy: 0.7 }),
  resultOf(
    { rule: "krum", attack: "noise" },
    2,
    { accuracy: 0.74 },
    { traffic: { uplinkBytes: 2_000, downlinkBytes: 0, denseUplinkBytes: 8_000 } },
  ),
];

function judged(claim: Omit<Claim, "claim">) {
  const [one] = judgeClaims([{ claim: "it is so", ...claim }], results);
  return { holds: one?.holds, value: one?.value };
}

test("a measure by itself is the mean over seeds", () => {
  assert.deepEqual(judged({ measure: "accuracy", of: { rule: "mean", attack: "none" }, min: 0.75 }), {
    holds: true,
    value: 0.75,
  });
  assert.deepEqual(judged({ measure: "accuracy", of: { rule: "mean", attack: "none" }, min: 0.7501 }), {
    holds: false,
    value: 0.75,
  });
});

test("a difference keeps the choices that the other side does not name", () => {
  const { holds, value } = judged({
    measure: "accuracy",
    of: { rule: "krum", attack: "noise" },
    against: { rule: "mean", attack: "none" },
    min: -0.031,
  });
  assert.equal(holds, true);
  assert.ok(Math.abs((value as number) + 0.03) < 1e-9);
  const same = judged({
    measure: "accuracy",
    of: { rule: "krum", attack: "noise" },
    against: { rule: "mean" },
    min: 0.2,
  });
  assert.ok(Math.abs((same.value as number) - 0.27) < 1e-9);
});

test("a claim about several combinations must hold for each, and shows the worst", () => {
  const { holds, value } = judged({ measure: "accuracy", of: { attack: "noise" }, min: 0.5 });
  assert.equal(holds, false);
  assert.equal(value, 0.45);
});

test("a ratio divides", () => {
  const { value } = judged({
    measure: "uplinkShare",
    of: { rule: "krum", attack: "noise" },
    ratioTo: { rule: "krum", attack: "none" },
    max: 1.6,
  });
  assert.equal(value, 1.5);
});

test("what was not measured does not hold", () => {
  assert.deepEqual(judged({ measure: "jacobian", of: { rule: "krum" }, min: 0 }), { holds: false, value: null });
});

test("a figure that a seed lacks does not hold, whatever the other seeds say", () => {
  const labels = { recipe: "fedavg" };
  const seeds = [resultOf(labels, 1, {}, { figures: { auroc: 0.9 } }), resultOf(labels, 2, {})];
  const claim = { claim: "ranks well", measure: "auroc", of: labels, min: 0.8 };
  assert.deepEqual(judgeClaims([claim], seeds), [{ claim: "ranks well", holds: false, value: null, min: 0.8 }]);
  const nan = resultOf(labels, 2, {}, { figures: { auroc: Number.NaN } });
  assert.equal(judgeClaims([claim], [seeds[0] as CellResult, nan])[0]?.holds, false);
  const both = [seeds[0] as CellResult, resultOf(labels, 2, {}, { figures: { auroc: 0.8 } })];
  assert.equal(judgeClaims([claim], both)[0]?.holds, true);
});

test("bytes are compared as they were sent", () => {
  const { holds, value } = judged({
    measure: "uplinkBytes",
    of: { rule: "krum", attack: "noise" },
    ratioTo: { attack: "none" },
    max: 1.5,
  });
  assert.deepEqual({ holds, value }, { holds: true, value: 1.5 });
});

test("a target that is never reached is infinitely many rounds, and no figure", () => {
  assert.deepEqual(judged({ measure: "roundsToTarget", target: 0.9, of: { rule: "mean" }, max: 5 }), {
    holds: false,
    value: null,
  });
  assert.deepEqual(judged({ measure: "roundsToTarget", target: 0.7, of: { rule: "krum" }, max: 5 }), {
    holds: true,
    value: 5,
  });
});

test("the time to a target is that of the first evaluation which reaches it, by the clock and not by the version", () => {
  const reached = (time: number, version: number): CellResult["points"] => [
    { round: 0, time: 0, accuracy: 0.1, loss: null, clientMean: null, clientStd: null },
    { round: version, time, accuracy: 0.8, loss: null, clientMean: null, clientStd: null },
    { round: 2 * version, time: 2 * time, accuracy: 0.9, loss: null, clientMean: null, clientStd: null },
  ];
  const timed = [
    resultOf({ schedule: "sync" }, 1, {}, { points: reached(30, 7) }),
    resultOf({ schedule: "sync" }, 2, {}, { points: reached(34, 8) }),
    resultOf({ schedule: "buffered" }, 1, {}, { points: reached(8, 10) }),
    resultOf({ schedule: "buffered" }, 2, {}, { points: reached(8, 12) }),
  ];
  const claim = { claim: "sooner", measure: "timeToTarget", target: 0.75, of: { schedule: "buffered" }, max: 1 };
  const [one] = judgeClaims([{ ...claim, ratioTo: { schedule: "sync" } }], timed);
  assert.deepEqual(one, { claim: "sooner", holds: true, value: 0.25, max: 1 });
  assert.equal(judgeClaims([{ ...claim, max: 100, target: 0.95 }], timed)[0]?.holds, false);
  assert.equal(judgeClaims([{ ...claim, of: { rule: "mean" } }], results)[0]?.value, null, "rounds have no clock");
});

test("a claim about what the experiment does not have is a mistake, not a failure", () => {
  assert.throws(() => judged({ measure: "accuracy", of: { rule: "median" }, min: 0 }), /which no result has/);
  assert.throws(
    () => judged({ measure: "accuracy", of: { rule: "krum" }, against: { rule: "median" }, min: 0 }),
    /which no result has/,
  );
});

test("a claim needs a bound, and one comparison", () => {
  const claim = { claim: "x", measure: "accuracy", of: {} };
  assert.equal(claimSchema.safeParse(claim).success, false);
  assert.equal(claimSchema.safeParse({ ...claim, min: 0, against: {}, ratioTo: {} }).success, false);
  assert.equal(claimSchema.safeParse({ ...claim, min: 0 }).success, true);
});
