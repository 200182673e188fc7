// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderUnlearning } from "../../../src/report/unlearning/renderUnlearning.ts";
import type { MethodEvidence, UnlearningReport } from "../../../src/report/unlearning/unlearningReport.ts";
import { checkMarkup } from "../checkMarkup.ts";

const exact: MethodEvidence = {
  method: "exact",
  claimsExact: true,
  head: "0xbeef",
  equalsRetrained: true,
  replayed: { from: 6, rounds: 5 },
  failed: [{ round: 8, reason: "TOO_FEW_UPDATES" }],
  membership: { after: 0.51, withinAsked: true, asUnseen: true },
  accuracy: 0.8,
  others: { mean: 0.7, worst: { member: 4, change: -0.031 } },
  distance: 0,
  clientRounds: 25,
  seconds: 1.5,
  checks: [{ claim: "bit for bit", holds: true }],
  holds: true,
};
const eraser: MethodEvidence = {
  ...exact,
  method: "eraser",
  claimsExact: false,
  equalsRetrained: false,
  replayed: null,
  failed: [],
  distance: 0.123456,
  checks: [{ claim: "not told", holds: false }],
  holds: false,
};
const report: UnlearningReport = {
  version: 1,
  experiment: "<b>mine</b>",
  labels: { rule: "<script>alert(1)</script>" },
  seed: 3,
  code: "abc",
  member: 2,
  attacker: false,
  earlier: [9],
  federation: {
    members: 10,
    cohort: 5,
    rounds: 10,
    data: "digits",
    model: "mlp",
    parameters: 1234,
    client: "fedavg",
    rule: "krum",
  },
  group: null,
  firstRound: 7,
  participations: 2,
  before: { head: "0xdead", accuracy: 0.81, othersMean: 0.71, auroc: 0.7, distance: 0.05 },
  retrained: { head: "0xbeef", accuracy: 0.8, othersMean: 0.7, auroc: 0.51, clientRounds: 50, seconds: 3 },
  membershipTest: { memberSamples: 100, heldOutSamples: 400, heldOut: "test", standardError: 0.03, memorised: true },
  othersOn: "own training samples",
  methods: [exact, eraser],
  leftOut: [{ method: "sharded", because: "one model & no groups" }],
  deletion: {
    done: true,
    why: "Deleted.",
    items: [{ what: "its uploads", amount: "2 rounds', 9 bytes" }],
    standings: [{ member: 1, reputation: [65_536, 32_768], contribution: [1_048_576, 524_288] }],
    contributions: [1_048_576, 524_288],
    notUndone: ["Rewards stay."],
  },
  privacy: null,
  holds: false,
};

describe("the page of an unlearning", () => {
  it("is whole, loads nothing, runs nothing and shows text as text", () => {
    const page = renderUnlearning(report);
    const { elements, text } = checkMarkup(page);
    assert.ok(!elements.some(({ name }) => name === "script" || name === "link" || name === "img"));
    assert.ok(text.includes("<script>alert(1)</script>") && text.includes("<b>mine</b>"));
    assert.match(page, /default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+'/);
    assert.equal(renderUnlearning(report), page);
  });

  it("has every part of the evidence", () => {
    const { text } = checkMarkup(renderUnlearning(report));
    for (const part of [
      "✘ Forgetting Member 2",
      "entered 2 rounds, the first in round 7",
      "Forgotten before: 9",
      "0xdead",
      "5, from round 6 on",
      "8 (TOO_FEW_UPDATES)",
      "± 0.030",
      "−1.0 points",
      "−3.1 points (member 4)",
      "0.12346",
      "50.0%",
      "2 rounds', 9 bytes",
      "1.00000 before, 0.50000 after",
      "Rewards stay.",
      "one model & no groups",
      "(does not hold)",
    ])
      assert.ok(text.includes(part), part);
    assert.ok(!text.includes("shows nothing here"));
  });

  it("says what it cannot show, and what stands beside it", () => {
    const { text } = checkMarkup(
      renderUnlearning({
        ...report,
        firstRound: null,
        attacker: true,
        group: { index: 1, groups: 3, members: [2, 5] },
        membershipTest: { ...report.membershipTest, memorised: false },
        privacy: { mode: "central", unit: "member", epsilon: 2, delta: 1e-5 },
        deletion: { ...report.deletion, done: false, contributions: null },
      }),
    );
    for (const part of [
      "No update of the member ever",
      "It attacked",
      "group 2 of 3, with members 5",
      "shows nothing here",
      "ε = 2.000",
      "budget would be charged",
    ])
      assert.ok(text.includes(part), part);
    assert.ok(!text.includes("Sum of their contributions"));
  });
});
