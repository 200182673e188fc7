// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import fc from "fast-check";
import { splitReward } from "../../src/incentives/splitReward.ts";
import { bitmapOf, bitsOf } from "../../src/protocol/bitmap.ts";
import { quorum } from "../../src/protocol/quorum.ts";
import { nextReputation } from "../../src/protocol/reputation.ts";
import { reverts } from "./support/reverts.ts";
import { openRound, openRun, playJudged, proposerOf, sealOf, skipPhase } from "./support/round.ts";
import { deployWorld, impersonate, isolate, type Party, read, send, type World, word } from "./support/world.ts";

const SEED = { seed: 7_411 };

/** A credit as ProofOfTraining packs it (contracts/types/Credit.sol). */
function credit(memberId: number, kept: boolean, score: number): bigint {
  return (BigInt(memberId) << 64n) | (kept ? 1n << 32n : 0n) | BigInt.asUintN(32, BigInt(score));
}

describe("invariants", () => {
  let world: World;
  before(async () => {
    world = await deployWorld({ members: 6 });
  });
  isolate(() => world);

  /** Views speak of the latest block, transactions of the next one. */
  const mineOne = () => world.connection.provider.request({ method: "hardhat_mine", params: ["0x1"] });

  /** A run in which nothing can be finalised, ended by two failed openings. Its credits are booked as if ProofOfTraining had sent them. */
  const settleRandomly = async (
    pool: bigint,
    omegaQ16: number,
    alphaQ16: number,
    rounds: readonly (readonly [boolean, number][])[],
  ) => {
    const run = await openRun(world, { rounds: 1, maxOpenings: 2, pool, omegaQ16, alphaQ16 });
    const proofOfTraining = await impersonate(world, world.addresses.proof);
    for (const entries of rounds) {
      await send(proofOfTraining, world.rewards, "credit", [
        run,
        entries.map(([kept, score], i) => credit(i + 1, kept, kept ? score : 0)),
      ]);
    }
    for (let i = 0; i < 2; i++) await skipPhase(world, run, await openRound(world, run), "judgeEnd");
    await mineOne();
    const standings = await Promise.all(
      world.members.map(async ({ id }) => ({ id, ...named(await read(world.rewards, "standingOf", [run, id])) })),
    );
    const split = splitReward(
      pool,
      omegaQ16,
      standings.map(({ id, contribution, participation }) => ({ memberId: id, contribution, participation })),
    );
    return { run, standings, split };
  };
  const named = ({
    reputation,
    contribution,
    participation,
  }: {
    reputation: bigint;
    contribution: bigint;
    participation: bigint;
  }) => ({
    reputation,
    contribution,
    participation,
  });

  const score = fc.oneof(fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }), fc.integer({ min: -3, max: 3 }));
  const round = fc.array(fc.tuple(fc.boolean(), score), { minLength: 6, maxLength: 6 });
  const rounds = fc.array(round, { minLength: 1, maxLength: 4 });
  const pool = fc.oneof(fc.bigInt(0n, 100n), fc.bigInt(0n, (1n << 128n) - 1n));

  it("the pool is conserved, over random scores", async () => {
    await fc.assert(
      fc.asyncProperty(pool, fc.integer({ min: 0, max: 65_536 }), rounds, async (amount, omegaQ16, played) => {
        const held: bigint = await read(world.token, "balanceOf", [world.addresses.rewards]);
        const { run, split } = await settleRandomly(amount, omegaQ16, 52_429, played);
        await send(world.outsider, world.rewards, "settle", [run, split.contributionCutOff, split.participationCutOff]);
        const rewards = await Promise.all(
          world.members.map(async ({ id }) => (await read(world.rewards, "standingOf", [run, id])).reward as bigint),
        );
        const { refund } = await read(world.rewards, "accountOf", [run]);
        assert.deepEqual(rewards, split.amounts);
        assert.equal(refund, split.refund);
        assert.equal(
          rewards.reduce((a, b) => a + b, refund),
          amount,
        );
        for (const [i, member] of world.members.entries())
          if (rewards[i] !== 0n) await send(member.account, world.rewards, "claim", [run]);
        if (refund !== 0n) await send(world.admin, world.rewards, "claimRefund", [run]);
        assert.equal(
          await read(world.token, "balanceOf", [world.addresses.rewards]),
          held,
          "other runs' tokens are untouched",
        );
      }),
      { ...SEED, numRuns: 12 },
    );
  });

  it("no cut-off but the right one settles", async () => {
    const cut = fc.record({ remainder: fc.bigInt(0n, 60n), memberId: fc.integer({ min: 0, max: 7 }) });
    const { run, split, standings } = await settleRandomly(1_009n, 32_768, 52_429, [
      [
        [true, 5],
        [true, 3],
        [true, 7],
        [true, 1],
        [false, 0],
        [true, -2],
      ],
      [
        [true, 5],
        [true, 3],
        [true, -1],
        [true, 1],
        [true, 4],
        [true, 2],
      ],
    ]);
    const given = async (contribution: unknown, participation: unknown) => {
      try {
        await read(world.rewards, "settle", [run, contribution, participation], world.outsider);
        return true;
      } catch {
        return false;
      }
    };
    const contributed = standings.map(({ contribution }) => (contribution > 0n ? contribution : 0n));
    const sum = contributed.reduce((a, b) => a + b);
    const unitsAt = ({ remainder, memberId }: { remainder: bigint; memberId: number }) =>
      bitmapOf(
        standings.flatMap(({ id }, i) => {
          const rest = (504n * (contributed[i] as bigint)) % sum;
          return (contributed[i] as bigint) > 0n && (rest > remainder || (rest === remainder && id <= memberId))
            ? [i]
            : [];
        }),
      );
    const right = unitsAt(split.contributionCutOff);
    await fc.assert(
      fc.asyncProperty(cut, async (contribution) => {
        assert.equal(await given(contribution, split.participationCutOff), unitsAt(contribution) === right);
      }),
      { ...SEED, numRuns: 60 },
    );
  });

  it("reputation stays in [0, 65536] and follows the formula", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 65_536 }), rounds, async (alphaQ16, played) => {
        const { standings } = await settleRandomly(1n, 0, alphaQ16, played);
        for (const [i, { reputation }] of standings.entries()) {
          const expected = played.reduce(
            (r, entries) => nextReputation(r, alphaQ16, (entries[i] as [boolean, number])[0]),
            65_536,
          );
          assert.equal(reputation, BigInt(expected));
          assert.ok(reputation >= 0n && reputation <= 65_536n);
        }
      }),
      { ...SEED, numRuns: 10 },
    );
  });

  it("contribution and participation are sums over kept rounds", async () => {
    await fc.assert(
      fc.asyncProperty(rounds, async (played) => {
        const { standings } = await settleRandomly(1n, 0, 1, played);
        for (const [i, { contribution, participation }] of standings.entries()) {
          const kept = played.map((entries) => entries[i] as [boolean, number]).filter(([isKept]) => isKept);
          assert.equal(
            contribution,
            kept.reduce((sum, [, value]) => sum + BigInt(value), 0n),
          );
          assert.equal(participation, BigInt(kept.filter(([, value]) => value > 0).length));
        }
      }),
      { ...SEED, numRuns: 8 },
    );
  });

  it("no round is finalised without q equal seals, and none twice", async () => {
    const run = await openRun(world, { rounds: 30, maxOpenings: 60 });
    const seals = fc.array(fc.constantFrom("honest", "wrong", "copied", "silent"), { minLength: 4, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(seals, async (behaviours) => {
        const played = await playJudged(world, run);
        for (const [index, behaviour] of behaviours.entries()) {
          const validator = world.validators[index] as Party;
          const other = world.validators[(index + 1) % 4] as Party;
          if (behaviour === "silent") continue;
          const seal = {
            honest: sealOf(world, played.result, validator),
            copied: sealOf(world, played.result, other),
            wrong: word("wrong"),
          }[behaviour];
          await send(validator.account, world.proof, "attest", [run, played.round, seal]);
        }
        await skipPhase(world, run, played.round, "attestEnd");
        const proposer = proposerOf(world, played.round);
        const finalise = () =>
          send(proposer.account, world.proof, "finalise", [run, played.round, played.finalisation]);
        const honest = behaviours.filter((behaviour) => behaviour === "honest").length;
        if (honest >= quorum(4)) {
          await finalise();
          await reverts(world, finalise, "TrainingLedgerWrongPhase");
        } else {
          await assert.rejects(finalise);
          await skipPhase(world, run, played.round, "finaliseDeadline");
        }
        const { headRound } = await read(world.ledger, "runOf", [run]);
        assert.equal(headRound === BigInt(played.round), honest >= quorum(4));
      }),
      { ...SEED, numRuns: 14 },
    );
  });

  it("accepted is f+1 yes, whatever the verdicts", async () => {
    const run = await openRun(world, { rounds: 30, maxOpenings: 60 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.bigInt(0n, 63n), { minLength: 4, maxLength: 4 }), async (verdicts) => {
        const played = await playJudged(world, run, { verdicts });
        const accepted = await read(world.ledger, "acceptedOf", [run, played.round]);
        assert.equal(accepted, played.result.accepted);
        const failed = bitsOf(accepted).length < 3;
        await skipPhase(world, run, played.round, "attestEnd");
        await mineOne();
        assert.equal(await read(world.ledger, "failureOf", [run, played.round]), failed ? 2n : 3n);
      }),
      { ...SEED, numRuns: 10 },
    );
  });

  it("suspended keys can do nothing", async () => {
    const run = await openRun(world);
    for (const { id } of world.validators)
      await send(world.admin, world.consortium, "setValidatorSuspended", [id, true]);
    for (const { id } of world.members) await send(world.admin, world.consortium, "setMemberSuspended", [id, true]);
    const zero = { remainder: 0, memberId: 0 };
    const update = {
      run,
      round: 1,
      memberId: 1,
      artifactDigest: word("a"),
      artifactCid: word("b"),
      samples: 1,
      lossCommitment: 1,
      extension: `0x${"00".repeat(32)}`,
    };
    const calls: [World["ledger"], string, unknown[]][] = [
      [world.consortium, "rotateMemberKeys", [world.outsider.address, word("key")]],
      [world.consortium, "rotateValidatorKeys", [world.outsider.address, word("key")]],
      [world.consortium, "resign", []],
      [
        world.consortium,
        "approveValidatorChange",
        [{ validatorId: 1, signer: `0x${"00".repeat(20)}`, encryptionKey: `0x${"00".repeat(32)}` }],
      ],
      [world.ledger, "openRun", [await read(world.ledger, "paramsOf", [run])]],
      [world.ledger, "openRound", [run]],
      [world.ledger, "registerBeaconChain", [run, word("end")]],
      [world.ledger, "commit", [update, "0x"]],
      [world.ledger, "verdict", [run, 1, 0, "0x", word("x")]],
      [world.proof, "attest", [run, 1, word("seal")]],
      [world.proof, "attestWithScores", [run, 1, word("seal"), word("commitment")]],
      [world.rewards, "revealScores", [run, 1, [], word("salt")]],
      [world.rewards, "dispute", [run, 1]],
      [world.rewards, "voteToVoid", [run, 1]],
      [world.rewards, "withdrawBond", [run, 1]],
      [world.rewards, "settle", [run, zero, zero]],
      [world.rewards, "claim", [run]],
      [world.rewards, "claimRefund", [run]],
    ];
    for (const party of [world.validators[0] as Party, world.members[0] as Party]) {
      for (const [contract, name, args] of calls)
        await assert.rejects(send(party.account, contract, name, args), `${name} by a suspended key`);
    }
  });
});
