// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { contentIdOfDigest } from "../../src/protocol/contentId.ts";
import type { RoundReport, RunReport, UpdateReport } from "../../src/report/runReport.ts";

/** 32 bytes that differ for every name and are the same in every run of the tests. */
export function hashNamed(name: string): `0x${string}` {
  return `0x${createHash("sha256").update(name).digest("hex")}`;
}

const cidNamed = (name: string) => String(contentIdOfDigest(hashNamed(name)));
const addressNamed = (name: string) => hashNamed(name).slice(0, 42);

const MEMBERS = [
  { name: "Alder General Hospital", classes: [41, 12, 3, 55, 9, 28, 2, 71, 14, 20] },
  { name: "Birch Clinic", classes: [3, 60, 22, 8, 70, 1, 38, 0, 49, 6] },
  { name: "Cedar Institute", classes: [52, 5, 66, 31, 4, 47, 11, 19, 2, 37] },
  { name: "Dogwood Health Trust", classes: [18, 44, 7, 40, 25, 62, 58, 12, 33, 51] },
  { name: "Elm Diagnostics", classes: [28, 24, 44, 12, 37, 7, 36, 41, 41, 30] },
] as const;
const ATTACKER = 5;
const ACCURACY = [0.1028, 0.6139, 0.7778, 0.8361, 0.8694, 0.8889, 0.9, 0.9083, 0.9194, 0.9278, 0.9361];
const HELD_OUT = [2.334, 1.402, 0.873, 0.641, 0.522, 0.451, 0.402, 0.369, 0.341, 0.318, 0.299];
const SCORES = [0.931, 0.529, 0.232, 0.119, 0.071, 0.049, 0.033, 0.028, 0.023, 0.019];
const SHARES = [0.27, 0.21, 0.31, 0.21];

const samplesOf = (memberId: number) => (MEMBERS[memberId - 1]?.classes ?? []).reduce<number>((sum, n) => sum + n, 0);

function updatesOf(round: number): UpdateReport[] {
  const refused = (code: string, votes: number): Pick<UpdateReport, "outcome" | "refusal" | "yes"> => ({
    outcome: "refused",
    refusal: { code, votes },
    yes: 4 - votes,
  });
  const special = (memberId: number): Pick<UpdateReport, "outcome" | "refusal" | "yes"> | undefined => {
    if (round === 6 && memberId === 2) return refused("WRONG_ROUND", 4);
    if (round === 7 && memberId === 3) return refused("NOT_SERVED", 4);
    if (round >= 4 && memberId === ATTACKER) return { outcome: "not kept", yes: round === 8 ? 3 : 4 };
    if (round === 8 && memberId === 1) return { outcome: "kept", yes: 2 };
    return undefined;
  };
  // Member 4 was away in round 3.
  const present = MEMBERS.map((_, index) => index + 1).filter((memberId) => !(round === 3 && memberId === 4));
  const outcomes = present.map((memberId) => ({
    memberId,
    ...(special(memberId) ?? { outcome: "kept" as const, yes: round === 8 ? 3 : 4 }),
  }));
  const share = (memberId: number) => SHARES[memberId - 1] ?? 0.2;
  const kept = outcomes
    .filter(({ outcome }) => outcome === "kept")
    .reduce((sum, { memberId }) => sum + share(memberId), 0);
  return outcomes.map((outcome) => {
    const weight = outcome.outcome === "kept" ? share(outcome.memberId) / kept : 0;
    return {
      ...outcome,
      samples: samplesOf(outcome.memberId),
      weight,
      score:
        weight === 0
          ? 0
          : (SCORES[round - 1] ?? 0) * weight * (outcome.memberId === 2 ? 1.3 : 0.9) -
            (round === 10 && outcome.memberId === 1 ? 0.009 : 0),
      ...(outcome.refusal?.code !== "NOT_SERVED" && { bytes: 5204 + ((round * 37 + outcome.memberId * 101) % 211) }),
      artifactCid: cidNamed(`artifact ${round} ${outcome.memberId}`),
    };
  });
}

function roundNumber(round: number): RoundReport {
  return {
    round,
    closing: false,
    outcome: "finalised",
    head: hashNamed(`head ${round}`),
    checkpointCid: cidNamed(`checkpoint ${round}`),
    modelRoot: hashNamed(`model ${round}`),
    proposer: (round + (round === 9 ? 1 : 0)) % 4,
    view: round === 9 ? 1 : 0,
    accuracy: ACCURACY[round] ?? 0,
    heldOutLoss: HELD_OUT[round] ?? 0,
    reportedLoss: (HELD_OUT[round - 1] ?? 0) * 0.93 + 0.02,
    updateNorm: 6.4 / (round + 0.6),
    seconds: 3.1 + ((round * 7) % 5) * 0.31 + (round === 9 ? 2.4 : 0),
    gas: 1_214_332 + ((round * 7919) % 40_000),
    updates: updatesOf(round),
    validators: [0, 1, 2, 3].map((index) => ({
      index,
      verdict: true,
      attested: true,
      agreed: !(round === 8 && index === 2),
    })),
  };
}

function closingRound(round: number): RoundReport {
  const last = round - 1;
  return {
    round,
    closing: true,
    outcome: "finalised",
    head: hashNamed(`head ${round}`),
    checkpointCid: cidNamed(`checkpoint ${last}`),
    modelRoot: hashNamed(`model ${last}`),
    proposer: round % 4,
    view: 0,
    reportedLoss: 0.2981,
    updateNorm: 0,
    seconds: 1.9,
    gas: 702_118,
    updates: MEMBERS.map((_, index) => ({
      memberId: index + 1,
      outcome: "not kept",
      yes: 4,
      samples: samplesOf(index + 1),
      weight: 0,
      score: 0,
      bytes: 312,
      artifactCid: cidNamed(`artifact ${round} ${index + 1}`),
    })),
    validators: [0, 1, 2, 3].map((index) => ({ index, verdict: true, attested: true, agreed: true })),
  };
}

/** A run as the demo makes one: ten rounds and the closing round, five members, an attacker from round 4, one lie of each kind. */
export function sampleReport(): RunReport {
  const rounds = [...Array.from({ length: 10 }, (_, index) => roundNumber(index + 1)), closingRound(11)];
  const totals = MEMBERS.map((_, index) => {
    const updates = rounds.flatMap((round) => round.updates.filter((update) => update.memberId === index + 1));
    return {
      score: updates.reduce((sum, update) => sum + update.score, 0),
      participation: updates.filter((update) => update.score > 0).length,
    };
  });
  const rewards = [
    "248113904112230418821",
    "231940077310096112204",
    "266518220018441207733",
    "202114200331014310042",
    "51313598228217951200",
  ];
  const reputations = [1, 0.9316, 0.9424, 0.9, 0.4783];
  return {
    title: "Handwritten digits, five members",
    run: "1",
    chainId: "31337",
    contracts: {
      consortium: addressNamed("consortium"),
      trainingLedger: addressNamed("ledger"),
      proofOfTraining: addressNamed("proof"),
      shapleyRewards: addressNamed("rewards"),
      lossVerifier: addressNamed("verifier"),
      token: addressNamed("token"),
    },
    recipe: {
      name: "MLP 64-32-10, 80 local steps",
      rule: "ByzFed, τ = 2",
      parameters: 2410,
      digest: hashNamed("recipe"),
    },
    members: MEMBERS.map(({ name, classes }, index) => ({
      id: index + 1,
      name,
      signer: addressNamed(`signer ${index + 1}`),
      samples: samplesOf(index + 1),
      classes,
      reputation: reputations[index] ?? 1,
      score: totals[index]?.score ?? 0,
      participation: totals[index]?.participation ?? 0,
      reward: rewards[index] ?? "0",
    })),
    validators: [0, 1, 2, 3].map((index) => ({ id: index + 1, index, signer: addressNamed(`validator ${index}`) })),
    genesis: {
      head: hashNamed("head 0"),
      checkpointCid: cidNamed("checkpoint 0"),
      modelRoot: hashNamed("model 0"),
      accuracy: ACCURACY[0] ?? 0,
    },
    rounds,
    settlement: { pool: "1000000000000000000000", refund: "0", token: addressNamed("token"), block: 412 },
    gas: { commit: 68_412, verdict: 64_220, attest: 58_104, finalise: 498_330, settle: 131_877, claim: 71_209 },
    audit: { ok: true, rounds: 11, checks: 1243, failures: [] },
    tampering: [
      { what: "One byte of the checkpoint of round 5", detected: true, round: 5, link: "checkpoint bytes" },
      { what: "The reward of Birch Clinic", detected: true, round: null, link: "settlement split" },
      { what: "One attestation of round 7", detected: true, round: 7, link: "validator seal" },
    ],
    seconds: { startChain: 1.62, deploy: 2.31, admit: 1.9, rounds: 41.7, settle: 1.24, audit: 5.38, tampering: 3.02 },
    attribution:
      "Data: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0.",
  };
}
