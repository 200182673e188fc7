// SPDX-License-Identifier: Apache-2.0
import type { DemoOutcome } from "./demo.ts";

/** The demo's result as one JSON object for programs. */
export function summariseDemo({
  report,
  expectations,
  ok,
  proveMs,
  aggregators,
  verifyGas,
}: DemoOutcome): Record<string, unknown> {
  const rounds = report.rounds.filter(({ closing }) => !closing);
  const finalised = rounds.filter(({ outcome }) => outcome === "finalised");
  const name = new Map(report.members.map((member) => [member.id, member.name]));
  const gasOf = (call: string): number | null => report.gas[call] ?? null;
  const sorted = [...proveMs].sort((a, b) => a - b);
  return {
    ok,
    rounds: rounds.length,
    finalised: finalised.length,
    accuracy: finalised.at(-1)?.accuracy ?? null,
    refusals: report.rounds.flatMap(({ round, updates }) =>
      updates
        .filter(({ outcome }) => outcome === "refused")
        .map(({ memberId, refusal }) => ({ round, member: name.get(memberId), code: refusal?.code })),
    ),
    notKept: report.rounds.flatMap(({ round, updates }) =>
      updates
        .filter(({ outcome }) => outcome === "not kept")
        .map(({ memberId }) => ({ round, member: name.get(memberId) })),
    ),
    audit: { ok: report.audit?.ok ?? false, rounds: report.audit?.rounds ?? 0, checks: report.audit?.checks ?? 0 },
    tampering: report.tampering,
    rewards: {
      pool: report.settlement?.pool ?? null,
      paid: report.members.reduce((sum, { reward }) => sum + BigInt(reward), 0n).toString(),
    },
    gas: Object.fromEntries(
      ["commit", "verdict", "attest", "finalise", "settle", "claim"].map((call) => [call, gasOf(call)]),
    ),
    proof: { proveMs: sorted[sorted.length >> 1] ?? null, verifyGas },
    aggregators,
    seconds: report.seconds,
    promises: expectations,
  };
}
