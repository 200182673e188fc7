// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import type { ContractTransactionReceipt } from "ethers";
import { splitReward } from "../../src/incentives/splitReward.ts";
import { attestedScoresOf, attestWithScores, book, playScoredJudged, reveal } from "./support/attestedScores.ts";
import {
  attest,
  commit,
  finalise,
  giveVerdict,
  openRound,
  openRun,
  playAttested,
  playCommits,
  playJudged,
  playRound,
  skipPhase,
} from "./support/round.ts";
import {
  advanceTo,
  beaconChain,
  blockNumber,
  deployWorld,
  type Party,
  read,
  send,
  type World,
  word,
} from "./support/world.ts";

const SNAPSHOT = new URL("gas.snapshot.json", import.meta.url);
const UPDATE = process.env.UPDATE_GAS_SNAPSHOT === "1";
/** Addresses, digests and counters put more or fewer zero bytes into calldata from one run to the next. */
const TOLERANCE = 0.01;

/** Points on the curve, so that the verifier goes all the way to the pairing: the generators of G1 and G2. */
const G1 = [1n, 2n];
const G2 = [
  [
    11559732032986387107991004021392285783925812861821192530917403151452391805634n,
    10857046999023057135944570762232829481370756359578518086990519993285655852781n,
  ],
  [
    4082367875863433681332203403145435568316851327593401208105741076214120093531n,
    8495653923123431417604973247489272438418190587263600148770280649306958101930n,
  ],
];

/** Design §12. */
const BUDGET = {
  commit: 72_000,
  verdict: 70_000,
  attest: 62_000,
  claim: 80_000,
  settle: (members: number) => 100_000 + 8_000 * members,
  finalise: (updates: number, validators: number, first: boolean) =>
    450_000 + 12_000 * updates + 3_000 * validators + (first ? 17_000 * updates : 0),
};

/**
 * Gas of every call against its budget and against the recorded snapshot. After a change that is meant to alter it:
 * `UPDATE_GAS_SNAPSHOT=1 node --test test/contracts/gas.test.ts`.
 */
describe("gas", () => {
  const measured: Record<string, number> = {};
  const record = (name: string, spent: readonly (ContractTransactionReceipt | number)[], budget?: number): void => {
    const gas = Math.max(...spent.map((one) => (typeof one === "number" ? one : Number(one.gasUsed))));
    measured[name] = gas;
    if (budget !== undefined) assert.ok(gas <= budget, `${name} takes ${gas} gas; its budget is ${budget}.`);
  };

  after(() => {
    const text = `${JSON.stringify(measured, null, 2)}\n`;
    if (UPDATE) writeFileSync(SNAPSHOT, text);
  });

  /** A federation whose finalisations pay for the pairing of the real verifier. */
  const meteredWorld = async (members: number, validators: number, circuit: "ReportedLoss8" | "ReportedLoss32") => {
    const world = await deployWorld({ members, validators });
    const inner = await world.connection.ethers.deployContract(circuit);
    const metering = await world.connection.ethers.deployContract("MeteringVerifier", [await inner.getAddress()]);
    const capacity = circuit === "ReportedLoss8" ? 8 : 32;
    const costs = await Promise.all(
      [metering, inner].map((verifier) => verifier.getFunction("verify").estimateGas(G1, G2, G1, [1n, 2n, 3n, 4n])),
    );
    const detour = Number(costs[0] as bigint) - Number(costs[1] as bigint);
    return { world, detour, params: { verifier: await metering.getAddress(), capacity } };
  };
  const finaliseMetered = async (world: World, run: bigint) => {
    const played = await playAttested(world, run);
    const finalisation = { ...played.finalisation, proof: { a: G1, b: G2, c: G1 } };
    return Number((await finalise(world, { ...played, finalisation })).gasUsed);
  };

  describe("calls of a round", () => {
    let world: World;
    let run: bigint;
    const all = 0b11111n;

    before(async () => {
      world = await deployWorld();
      run = await openRun(world, { rounds: 1 });
    });

    it("opening", async () => {
      const other = await openRun(world);
      const [validator] = world.validators as [Party];
      const spare = await openRun(world, { pool: 7n });
      assert.ok(spare > other);
      record("openRound, first", [await send(validator.account, world.ledger, "openRound", [other])]);
      await skipPhase(world, other, 1, "judgeEnd");
      record("openRound", [await send(validator.account, world.ledger, "openRound", [other])]);
    });

    it("commit, verdict, attest: the first of a run and later ones", async () => {
      for (const which of ["first", "later"]) {
        const round = await openRound(world, run);
        const commits = [];
        for (const member of world.members) commits.push((await commit(world, run, round, member)).receipt);
        record(`commit, ${which}`, commits.slice(0, -1), BUDGET.commit);
        // The last one also writes the end of the phase.
        record(`commit that ends the phase, ${which}`, commits.slice(-1));
        const verdicts = [];
        for (const validator of world.validators)
          verdicts.push(await giveVerdict(world, run, round, validator, all, 5));
        record(`verdict, ${which}`, verdicts, BUDGET.verdict);
        const attestations = [];
        for (const validator of world.validators) {
          attestations.push(
            await send(validator.account, world.proof, "attest", [run, round, word(`seal ${validator.id} ${which}`)]),
          );
        }
        record(`attest, ${which}`, attestations, BUDGET.attest);
        await skipPhase(world, run, round, "finaliseDeadline");
      }
    });

    it("verdict on a full cohort", async () => {
      const { world: large, params } = await meteredWorld(32, 4, "ReportedLoss32");
      const full = await openRun(large, { ...params, commitBlocks: 40 });
      const { round, committed } = await playCommits(large, full);
      const bitmap = (1n << BigInt(committed.length)) - 1n;
      record(
        "verdict, 32 commits",
        [await giveVerdict(large, full, round, large.validators[0] as Party, bitmap, 32)],
        BUDGET.verdict,
      );
    });
  });

  describe("finalise", () => {
    for (const [updates, validators, circuit] of [
      [5, 4, "ReportedLoss8"],
      [8, 7, "ReportedLoss8"],
      [20, 4, "ReportedLoss32"],
    ] as const) {
      it(`${updates} updates, ${validators} validators`, async () => {
        const { world, detour, params } = await meteredWorld(updates, validators, circuit);
        const run = await openRun(world, params);
        const name = `finalise, K = ${updates}, n = ${validators}`;
        // The detour over the metering double is not the protocol's.
        record(
          `${name}, first`,
          [(await finaliseMetered(world, run)) - detour],
          BUDGET.finalise(updates, validators, true),
        );
        record(name, [(await finaliseMetered(world, run)) - detour], BUDGET.finalise(updates, validators, false));
      });
    }

    it("a verification alone", async () => {
      const { ethers } = await (await import("hardhat")).network.connect();
      const verifier = await ethers.deployContract("ReportedLoss8");
      const gas = await verifier.getFunction("verify").estimateGas(G1, G2, G1, [1n, 2n, 3n, 4n]);
      measured["proof verification with its transaction"] = Number(gas);
    });
  });

  describe("money", () => {
    it("settle and claim", async () => {
      const world = await deployWorld();
      const run = await openRun(world, { rounds: 1 });
      await playRound(world, run, { scores: { 1: 5, 2: 3, 3: -4, 4: 1, 5: 1 } });
      await playRound(world, run);
      const { windowEnd } = await read(world.rewards, "accountOf", [run]);
      if (Number(windowEnd) >= (await blockNumber(world))) await advanceTo(world, Number(windowEnd) + 1);
      const records = await Promise.all(
        world.members.map(async ({ id }) => {
          const { contribution, participation } = await read(world.rewards, "standingOf", [run, id]);
          return { memberId: id, contribution, participation };
        }),
      );
      const split = splitReward(1_000_003n, 45_875, records);
      const settled = await send(world.outsider, world.rewards, "settle", [
        run,
        split.contributionCutOff,
        split.participationCutOff,
      ]);
      record("settle, N = 5", [settled], BUDGET.settle(5));
      const claims = [];
      for (const id of [1, 2])
        claims.push(await send((world.members[id - 1] as Party).account, world.rewards, "claim", [run]));
      record("claim", claims, BUDGET.claim);
    });

    it("openRun and registerBeaconChain", async () => {
      const world = await deployWorld();
      const run = await openRun(world);
      const played = await playJudged(world, run);
      await attest(world, played, world.validators[0] as Party);
      const next = await openRun(world);
      await send(world.admin, world.token, "mint", [world.admin.address, 1n]);
      await send(world.admin, world.token, "approve", [world.addresses.rewards, 1n]);
      const params = await read(world.ledger, "paramsOf", [next]);
      record("openRun", [await send(world.admin, world.ledger, "openRun", [{ ...params.toObject(), pool: 1n }])]);
      const last: bigint = await read(world.ledger, "runCount");
      const [validator] = world.validators as [Party];
      record("registerBeaconChain", [
        await send(validator.account, world.ledger, "registerBeaconChain", [last, beaconChain(validator, last)[0]]),
      ]);
    });
  });

  describe("attested scores", () => {
    it("attestWithScores, revealScores, bookScores", async () => {
      const world = await deployWorld();
      const run = await openRun(world, { scoring: 1, rounds: 1, challengeBlocks: 40 });
      const played = await playScoredJudged(world, run);
      const attested = [];
      for (const index of [0, 1, 2, 3]) attested.push(await attestWithScores(world, played, index));
      await finalise(world, played);
      const revealed = [];
      for (const index of [0, 1, 2, 3]) revealed.push(await reveal(world, played, index));
      await advanceTo(world, (await attestedScoresOf(world, played)).bookAfter + 1);
      record("attestWithScores", attested.slice(1, 3), BUDGET.attest + 30_000);
      record("revealScores, K = 5", revealed.slice(1), 110_000);
      record("bookScores, K = 5, n = 4", [await book(world, played, [0, 1, 2, 3])], 280_000);
    });
  });

  it("is as recorded", { skip: UPDATE }, () => {
    const recorded = JSON.parse(readFileSync(SNAPSHOT, "utf8")) as Record<string, number>;
    assert.deepEqual(Object.keys(measured), Object.keys(recorded), "calls measured");
    for (const [name, gas] of Object.entries(measured)) {
      const before = recorded[name] as number;
      assert.ok(
        Math.abs(gas - before) <= TOLERANCE * before,
        `${name} takes ${gas} gas and took ${before}; see the head of this suite.`,
      );
    }
  });
});
