// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Link } from "../../src/audit/links.ts";
import { lowerMedian } from "../../src/protocol/attestedScores.ts";
import { fromHex, type Hex, toHex } from "../../src/protocol/bytes.ts";
import type { LedgerReader } from "../../src/protocol/ledger.ts";
import { SILENT } from "../../src/protocol/logger.ts";
import { REPUTATION_ONE } from "../../src/protocol/reputation.ts";
import { inProcess } from "../../src/simulation/participants.ts";
import {
  type Answer,
  answering,
  auditorOf,
  BY_RULE,
  type Changes,
  type FinishedRun,
  openAuditedRun,
} from "./support.ts";

/** The one round that trains, and the closing one. */
const ROUND = 1;
const CLOSING = 2;
/**
 * Drops two of the five honest updates, not in every coalition of four: the round takes from their reputations, and scores by what those
 * are afterwards differ from scores by what they were before.
 */
const STRICT = { rule: "byzfed", parameters: { filter: "tau", tau: 1.05, sizeWeighted: false } } as const;
/** Never shows its scores. */
const HIDING = 3;
/** Hides its scores until it is killed, and is honest when it starts again. */
const KILLED = 2;
/** Far longer than starting a validator takes; what is left of it is mined at once when everybody has revealed. */
const WINDOW = 900;

const flipLastBit = (hex: Hex): Hex => {
  const bytes = fromHex(hex).slice();
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  return toHex(bytes);
};

const replaced = <T>(list: readonly T[], position: number, change: (item: T) => T): T[] =>
  list.map((item, i) => (i === position ? change(item) : item));

/**
 * A run with attested scoring: every validator has held-out data of its own, one hides its scores, one is killed before it can reveal. That one
 * makes its scores again when the chain shows reputations that have moved on, and scores by those do not open its commitment.
 */
async function finishAttestedRun(resources: AsyncDisposableStack): Promise<FinishedRun> {
  const opened = await openAuditedRun(resources, {
    scoring: "attested",
    recipe: { scoring: BY_RULE, aggregation: STRICT },
    seed: "attested",
    rounds: ROUND,
    challengeBlocks: WINDOW,
  });
  const { files, ledger, run, chain } = opened;
  const validators = files.validators.map(({ name, configFile }) => ({ name, configFile, role: "validator" as const }));
  const hides = { kind: "hide-scores" } as const;
  const killed = validators[KILLED] as (typeof validators)[number];
  const firstLife = inProcess({ ...killed, fault: hides }, SILENT);
  const secondLife = inProcess(killed, SILENT);
  const others = [
    ...files.members.map(({ name, configFile }) => inProcess({ name, configFile, role: "node" }, SILENT)),
    ...validators
      .map((plan, index) => (index === HIDING ? { ...plan, fault: hides } : plan))
      .filter((_, index) => index !== KILLED)
      .map((plan) => inProcess(plan, SILENT)),
  ];
  const everybody = [firstLife, secondLife, ...others];
  resources.defer(async () => void (await Promise.all(everybody.map((one) => one.kill()))));
  const failed = new Promise<never>((_, reject) => {
    for (const { finished } of everybody) finished.catch(reject);
  });
  failed.catch(() => {});
  const until = async (happened: () => Promise<boolean>): Promise<void> => {
    while (!(await happened())) await Promise.race([ledger.waitForBlockAfter(await ledger.blockNumber()), failed]);
  };

  for (const participant of [firstLife, ...others]) participant.start();
  await until(async () => (await ledger.runView(run)).lastRound === CLOSING);
  await firstLife.kill();
  secondLife.start();
  await until(async () => (await ledger.runView(run)).ended);
  await until(async () => (await ledger.attestedRound(run, ROUND))?.revealed === 0b0111n);
  await rpc(chain.rpcUrl, "hardhat_mine", [`0x${(2 * WINDOW).toString(16)}`]);
  await Promise.all([...others, secondLife].map(({ finished }) => finished));
  await Promise.all([...others, secondLife].map((participant) => participant.kill()));
  return auditorOf(opened, resources);
}

async function rpc(url: string, method: string, params: readonly unknown[]): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const { error } = (await response.json()) as { error?: { message: string } };
  if (error !== undefined) throw new Error(error.message);
}

type Damage = (honest: FinishedRun) => Partial<Changes>;

/** Answers about the round changed. */
const says =
  <M extends keyof LedgerReader>(method: M, change: (answer: Answer<M>) => Answer<M>): Damage =>
  ({ ledger }) => ({ ledger: answering(ledger, method, change, (_run: bigint, asked: number) => asked === ROUND) });

const CASES: readonly { readonly damage: string; readonly links: readonly Link[]; readonly apply: Damage }[] = [
  {
    // Of two of three, so that every median moves.
    damage: "revealed scores",
    links: ["reveal", "scores"],
    apply: says("scoreReveals", (reveals) =>
      reveals.map((reveal, i) =>
        i < 2 ? { ...reveal, scores: reveal.scores.map((score) => score + 100_000_000) } : reveal,
      ),
    ),
  },
  {
    damage: "a salt",
    links: ["reveal"],
    apply: says("scoreReveals", (reveals) =>
      replaced(reveals, 1, (reveal) => ({ ...reveal, salt: flipLastBit(reveal.salt) })),
    ),
  },
  {
    damage: "a revealed score too many",
    links: ["reveal"],
    apply: says("scoreReveals", (reveals) =>
      replaced(reveals, 2, (reveal) => ({ ...reveal, scores: [...reveal.scores, 9] })),
    ),
  },
  {
    damage: "a reveal left out",
    links: ["reveal", "scores"],
    apply: says("scoreReveals", (reveals) => reveals.slice(1)),
  },
  {
    damage: "a reveal in another validator's name",
    links: ["reveal"],
    apply: says("scoreReveals", (reveals) =>
      replaced(reveals, 2, (reveal) => ({ ...reveal, validatorIndex: HIDING, validatorId: HIDING + 1 })),
    ),
  },
  {
    damage: "a late reveal",
    links: ["reveal"],
    apply: says("scoreReveals", (reveals) =>
      replaced(reveals, 0, (reveal) => ({ ...reveal, block: reveal.block + WINDOW })),
    ),
  },
  {
    damage: "a reveal before the round was final",
    links: ["reveal"],
    apply: says("scoreReveals", (reveals) => replaced(reveals, 0, (reveal) => ({ ...reveal, block: 1 }))),
  },
  {
    damage: "a commitment",
    links: ["reveal"],
    apply: says("scoreCommitments", (all) =>
      replaced(all, 0, (one) => ({ ...one, commitment: flipLastBit(one.commitment) })),
    ),
  },
  {
    damage: "a commitment left out",
    links: ["reveal"],
    apply: says("scoreCommitments", (all) => all.slice(0, -1)),
  },
  {
    damage: "a commitment by somebody who is no validator",
    links: ["reveal"],
    apply: says("scoreCommitments", (all) => replaced(all, HIDING, (one) => ({ ...one, validatorId: 9 }))),
  },
  {
    damage: "one booked score",
    links: ["scores"],
    apply: says(
      "bookedScores",
      (booked) => booked && { ...booked, scores: replaced(booked.scores, 0, (score) => score + 1) },
    ),
  },
  {
    damage: "scores booked to another member",
    links: ["scores"],
    apply: says(
      "bookedScores",
      (booked) => booked && { ...booked, memberIds: replaced(booked.memberIds, 0, (id) => id + 7) },
    ),
  },
  {
    damage: "booked before the windows were over",
    links: ["scores"],
    apply: says("bookedScores", (booked) => booked && { ...booked, block: booked.block - 2 * WINDOW }),
  },
  { damage: "the booking left out", links: ["scores"], apply: says("bookedScores", () => undefined) },
  {
    damage: "what the contract says was revealed",
    links: ["reveal"],
    apply: says("attestedRound", (state) => state && { ...state, revealed: state.revealed | 0b1000n }),
  },
  {
    damage: "a window for revealing that is longer than the run's",
    links: ["reveal"],
    apply: says("attestedRound", (state) => state && { ...state, revealEnd: state.revealEnd + 1 }),
  },
  {
    damage: "a window for disputes that is shorter than the run's",
    links: ["scores"],
    apply: says("attestedRound", (state) => state && { ...state, bookAfter: state.bookAfter - 1 }),
  },
  {
    damage: "no attested scores, says the contract",
    links: ["reveal"],
    apply: says("attestedRound", () => undefined),
  },
  {
    damage: "a score in the result",
    links: ["scores"],
    apply: says(
      "finalised",
      (record) =>
        record && {
          ...record,
          finalisation: { ...record.finalisation, scores: replaced(record.finalisation.scores, 0, () => 7) },
        },
    ),
  },
];

describe("an audited run with attested scoring", { timeout: 300_000 }, () => {
  const resources = new AsyncDisposableStack();
  let honest: FinishedRun;
  before(async () => {
    honest = await finishAttestedRun(resources);
  });
  after(() => resources.disposeAsync());

  it("finds nothing false, and says that scores were not recomputed", async () => {
    const { head } = await honest.ledger.runView(honest.run);
    const report = await honest.audit({}, { head, loadModel: () => assert.fail("nothing is scored here") });
    assert.deepEqual(report.failures, []);
    assert.equal(report.ok, true);
    assert.equal(report.scoring, "attested");
    assert.equal(report.rounds, ROUND);
    assert.equal(report.closingRound, true);
    assert.equal(report.settled, true);
  });

  it("books the lower medians of what three validators found on data of their own", async () => {
    const { ledger, run } = honest;
    const reveals = await ledger.scoreReveals(run, ROUND);
    assert.deepEqual(
      reveals.map(({ validatorIndex }) => validatorIndex),
      [0, 1, KILLED],
    );
    const different = new Set(reveals.map(({ scores }) => scores.join()));
    assert.equal(different.size, 3, "each has scored on other data");
    const booked = await ledger.bookedScores(run, ROUND);
    assert.ok(booked !== undefined && booked.memberIds.length >= 3);
    const dropped = [1, 2, 3, 4, 5].filter((memberId) => !booked.memberIds.includes(memberId));
    assert.equal(dropped.length, 2, "reputations have moved when the killed validator makes its scores again");
    for (const memberId of dropped)
      assert.ok((await ledger.standingOf(run, memberId)).reputationQ16 < REPUTATION_ONE, `member ${memberId}`);
    assert.deepEqual(
      booked.scores,
      booked.memberIds.map((_, row) => lowerMedian(reveals.map(({ scores }) => scores[row] as number))),
    );
    assert.ok(booked.scores.some((score) => score > 0));
    for (const [row, memberId] of booked.memberIds.entries()) {
      const { contribution } = await ledger.standingOf(run, memberId);
      assert.equal(contribution, BigInt(booked.scores[row] as number));
    }
    assert.deepEqual([...new Set((await ledger.finalised(run, ROUND))?.finalisation.scores)], [0]);
    assert.equal(await ledger.attestedRound(run, CLOSING), undefined);
  });

  it("pays the pool out by them", async () => {
    const { ledger, run } = honest;
    const settlement = await ledger.settlement(run);
    assert.equal(
      settlement?.rewards.reduce((sum, { amount }) => sum + amount, 0n),
      settlement?.pool,
    );
    for (const { memberId } of settlement?.rewards ?? []) assert.ok((await ledger.standingOf(run, memberId)).claimed);
  });

  for (const { damage, links, apply } of CASES) {
    it(`${damage}: ${links.join(", ")} of the round`, async () => {
      const { failures } = await honest.audit(apply(honest));
      const named = [...new Set(failures.filter(({ round }) => round === ROUND).map(({ link }) => link))];
      assert.deepEqual(named.sort(), [...links].sort(), JSON.stringify(failures));
      assert.ok(
        failures.every(({ round }) => round === ROUND || round === null),
        JSON.stringify(failures),
      );
    });
  }
});
