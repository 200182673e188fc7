// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AuditReport } from "../../src/audit/auditRun.ts";
import { formatAudit } from "../../src/cli/formatAudit.ts";
import type { AuditedRound, AuditOutcome } from "../../src/cli/runAudit.ts";

const ROUND: AuditedRound = { round: 1, closing: false, replayed: true, lossesOpened: true, accepted: 4 };
const REPORT: AuditReport = {
  ok: true,
  run: "7",
  rounds: 2,
  closingRound: true,
  failedRounds: [{ round: 2, failure: "NoQuorum" }],
  head: "0xaa",
  headGiven: true,
  roundsWithOpenedLosses: 1,
  scoring: "exact",
  settled: true,
  linear: true,
  checks: 60,
  failures: [],
};
const OUTCOME: AuditOutcome = {
  report: REPORT,
  chainId: 31337n,
  headSource: "given",
  rounds: [ROUND, { ...ROUND, round: 3, lossesOpened: false }, { ...ROUND, round: 4, closing: true }],
};

describe("an audit for people", () => {
  it("shows each round, whether its losses were opened, and the verdict", () => {
    assert.equal(
      formatAudit(OUTCOME),
      [
        "Audit of run 7 on chain 31337",
        "",
        "round            links     accepted  losses",
        "    1  replayed  all hold         4  opened",
        "    3  replayed  all hold         4  not opened: quorum and proof stand for them",
        "    4  closing   all hold         4  opened",
        "Round 2 failed (NoQuorum) and changed nothing.",
        "",
        "Verdict: every link holds in 2 rounds and the closing round, and the settlement (60 checks).",
        "Head: 0xaa",
        "      It is the head that you gave.",
      ].join("\n"),
    );
  });

  it("says that attested scores were not recomputed", () => {
    const text = formatAudit({ ...OUTCOME, report: { ...REPORT, scoring: "attested" } });
    assert.match(text, /^Scores are attested, not recomputed: /m);
    assert.doesNotMatch(formatAudit(OUTCOME), /attested, not/);
  });

  it("names every false link with its round and what it claims", () => {
    const failures = [
      { round: 3, link: "scores", detail: "The scores are 1; replaying gives 2." },
      { round: null, link: "settlement", detail: "The rewards do not add up." },
    ] as const;
    const text = formatAudit({ ...OUTCOME, report: { ...REPORT, ok: false, settled: false, failures } });
    assert.match(text, /^ {4}3 {2}replayed {2}FALSE: scores /m);
    assert.match(
      text,
      /^✗ round 3, link "scores": The scores are 1; replaying gives 2\.\n {2}claimed: The scores are the Shapley values/m,
    );
    assert.match(text, /^✗ run, link "settlement": The rewards do not add up\./m);
    assert.match(text, /^Verdict: FALSE\. 2 links do not hold; the first is "scores" of round 3\.$/m);
  });

  it("marks a run whose models are no linear functions of the updates", () => {
    const marked = formatAudit({ ...OUTCOME, report: { ...REPORT, linear: false } });
    assert.match(marked, /^Models: not linear\. The rule or a server optimiser rounds/m);
    assert.doesNotMatch(formatAudit({ ...OUTCOME, report: { ...REPORT, linear: null } }), /linear/);
  });

  it("says how far the head was held against another", () => {
    const without = formatAudit({ ...OUTCOME, headSource: "none", report: { ...REPORT, headGiven: false } });
    assert.match(without, /No independent head was given: an endpoint that invented the whole history would pass\./);
    assert.match(formatAudit({ ...OUTCOME, headSource: "second endpoint" }), /The endpoints agree on it\./);
    const failures = [{ round: 4, link: "head", detail: "another" }] as const;
    assert.match(
      formatAudit({ ...OUTCOME, report: { ...REPORT, ok: false, failures } }),
      /It is NOT the head that you gave\./,
    );
  });

  it("shows a round that could not be replayed, and an audit that replayed nothing", () => {
    const incomplete = formatAudit({
      ...OUTCOME,
      rounds: [{ ...ROUND, replayed: false, lossesOpened: false, accepted: 0 }],
    });
    assert.match(incomplete, /^ {4}1 {2}incomplete {2}all hold$/m);
    assert.match(formatAudit({ ...OUTCOME, rounds: [] }), /No round was replayed\./);
  });
});
