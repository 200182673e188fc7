// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { splitReward } from "../../src/incentives/splitReward.ts";
import { nextReputation } from "../../src/protocol/reputation.ts";
import { reverts } from "./support/reverts.ts";
import { finalise, openRound, openRun, type PlayedRound, playAttested, playRound, skipPhase } from "./support/round.ts";
import {
  advanceTo,
  blockNumber,
  deployWorld,
  isolate,
  type Party,
  parties,
  read,
  send,
  type World,
} from "./support/world.ts";

const NONE = { remainder: 0n, memberId: 0 };
const POOL = 1_000_003n;
const BOND = 500n;

describe("ShapleyRewards", () => {
  let world: World;
  const validator = (index: number) => world.validators[index] as Party;
  const member = (id: number) => world.members[id - 1] as Party;
  const standing = (run: bigint, id: number) => read(world.rewards, "standingOf", [run, id]);
  const balance = (holder: string): Promise<bigint> => read(world.token, "balanceOf", [holder]);
  const settle = (run: bigint, contribution: unknown = NONE, participation: unknown = NONE) =>
    send(world.outsider, world.rewards, "settle", [run, contribution, participation]);
  const claim = (run: bigint, by: Party) => send(by.account, world.rewards, "claim", [run]);

  /** Ends a run with rounds = 1 by a closing round, and waits until it can be settled. */
  const end = async (run: bigint) => {
    await playRound(world, run);
    await waitForWindows(run);
  };
  const waitForWindows = async (run: bigint) => {
    const { windowEnd } = await read(world.rewards, "accountOf", [run]);
    if (Number(windowEnd) >= (await blockNumber(world))) await advanceTo(world, Number(windowEnd) + 1);
  };
  const cutOffs = async (run: bigint, pool = POOL) => {
    const records = await Promise.all(
      world.members.map(async ({ id }) => {
        const { contribution, participation } = await standing(run, id);
        return { memberId: id, contribution, participation };
      }),
    );
    return splitReward(pool, 45_875, records);
  };

  before(async () => {
    world = await deployWorld();
  });
  isolate(() => world);

  describe("standings", () => {
    it("follow kept, not kept and refused updates", async () => {
      const run = await openRun(world);
      // Commit 4 is refused; commit 3 accepted and not kept; the scores of the others are below, at and above 0.
      await playRound(world, run, {
        verdicts: [0b01111n, 0b01111n, 0b01111n, 0b01111n],
        kept: 0b00111n,
        scores: { 1: -7, 2: 0, 3: 9 },
      });
      const kept = nextReputation(65_536, 52_429, true);
      const dropped = nextReputation(65_536, 52_429, false);
      const rows = await Promise.all(
        [1, 2, 3, 4, 5].map(async (id) => {
          const { reputation, contribution, participation, known } = await standing(run, id);
          return [Number(reputation), Number(contribution), Number(participation), known];
        }),
      );
      assert.deepEqual(rows, [
        [kept, -7, 0, true],
        [kept, 0, 0, true],
        [kept, 9, 1, true],
        [dropped, 0, 0, true],
        [dropped, 0, 0, true],
      ]);
    });

    it("of members that did not commit stay", async () => {
      const run = await openRun(world);
      await playRound(world, run, { committers: world.members.slice(0, 4) });
      assert.deepEqual([...(await standing(run, 5))], [65_536n, 0n, 0n, 0n, false, false]);
    });

    it("add up over rounds, to the extremes of a score", async () => {
      const run = await openRun(world, { rounds: 3 });
      const scores = { 1: 2_147_483_647, 2: -2_147_483_648 };
      for (let i = 0; i < 3; i++) await playRound(world, run, { scores });
      assert.equal((await standing(run, 1)).contribution, 3n * 2_147_483_647n);
      assert.equal((await standing(run, 2)).contribution, 3n * -2_147_483_648n);
      assert.equal((await standing(run, 1)).participation, 3n);
    });
  });

  describe("settlement", () => {
    it("pays exactly the pool, and each member claims its own", async () => {
      const run = await openRun(world, { rounds: 1 });
      await playRound(world, run, { scores: { 1: 5, 2: 3, 3: -4, 4: 1, 5: 1 } });
      await end(run);
      const split = await cutOffs(run);
      await settle(run, split.contributionCutOff, split.participationCutOff);
      for (const [i, by] of world.members.entries()) {
        const expected = split.amounts[i] as bigint;
        if (expected === 0n) await reverts(world, claim(run, by), "ShapleyRewardsNothingToClaim");
        else await claim(run, by);
        assert.equal(await balance(by.wallet.address), expected);
      }
      assert.equal(await balance(world.addresses.rewards), 0n);
    });

    it("rewards that do not sum to the pool", async () => {
      const run = await openRun(world, { rounds: 1 });
      await playRound(world, run, { scores: { 1: 5, 2: 3, 3: -4, 4: 1, 5: 1 } });
      await end(run);
      const { contributionCutOff: contribution, participationCutOff: participation } = await cutOffs(run);
      const all = { remainder: 0n, memberId: 1024 };
      await reverts(world, settle(run, all, participation), "ShapleyRewardsBadCutOff");
      await reverts(world, settle(run, contribution, all), "ShapleyRewardsBadCutOff");
      await reverts(world, settle(run, NONE, participation), "ShapleyRewardsBadCutOff");
      await reverts(
        world,
        settle(run, { remainder: 1n << 200n, memberId: 0 }, participation),
        "ShapleyRewardsBadCutOff",
      );
      await settle(run, contribution, participation);
    });

    it("claim twice", async () => {
      const run = await openRun(world, { rounds: 1 });
      await playRound(world, run);
      await end(run);
      const split = await cutOffs(run);
      await settle(run, split.contributionCutOff, split.participationCutOff);
      await claim(run, member(1));
      await reverts(world, claim(run, member(1)), "ShapleyRewardsNothingToClaim", { memberId: 1 });
    });

    it("claim by another, by an old key, by a suspended member; before settlement", async () => {
      const run = await openRun(world, { rounds: 1 });
      await playRound(world, run);
      await reverts(world, claim(run, member(1)), "ShapleyRewardsNothingToClaim");
      await end(run);
      const split = await cutOffs(run);
      await settle(run, split.contributionCutOff, split.participationCutOff);
      await reverts(world, claim(run, validator(0)), "ShapleyRewardsUnauthorized");
      await send(world.admin, world.consortium, "setMemberSuspended", [2, true]);
      await reverts(world, claim(run, member(2)), "ShapleyRewardsUnauthorized");
      const [next] = (await parties(world.connection, "next", 1)) as [Party];
      await send(member(3).account, world.consortium, "rotateMemberKeys", [next.wallet.address, next.encryptionKey]);
      await reverts(world, claim(run, member(3)), "ShapleyRewardsUnauthorized");
      await claim(run, next);
      await send(member(4).account, world.consortium, "resign");
      await claim(run, member(4));
    });

    it("before the run has ended, before the window has closed, twice", async () => {
      const run = await openRun(world, { rounds: 1, challengeBlocks: 100 });
      await playRound(world, run);
      await reverts(world, settle(run), "ShapleyRewardsRunNotEnded");
      await playRound(world, run);
      const { windowEnd } = await read(world.rewards, "accountOf", [run]);
      const split = await cutOffs(run);
      await reverts(
        world,
        settle(run, split.contributionCutOff, split.participationCutOff),
        "ShapleyRewardsWindowOpen",
        { windowEnd },
      );
      await advanceTo(world, Number(windowEnd) + 1);
      await settle(run, split.contributionCutOff, split.participationCutOff);
      await reverts(world, settle(run), "ShapleyRewardsAlreadySettled");
      await reverts(world, settle(99n), "ShapleyRewardsUnknownRun");
    });

    it("goes by participation alone when nobody has a positive contribution", async () => {
      const run = await openRun(world, { rounds: 2 });
      await playRound(world, run, { scores: { 1: 1, 2: 1, 3: 1, 4: 1, 5: 1 } });
      await playRound(world, run, { scores: { 1: -9, 2: -9, 3: -9, 4: -9, 5: -9 } });
      await end(run);
      const split = await cutOffs(run);
      await settle(run, NONE, split.participationCutOff);
      const rewards = await Promise.all([1, 2, 3, 4, 5].map(async (id) => (await standing(run, id)).reward));
      assert.deepEqual(rewards, [200_001n, 200_001n, 200_001n, 200_000n, 200_000n]);
    });

    it("refunds the sponsor when nobody participated, once", async () => {
      const run = await openRun(world, { rounds: 1 });
      await playRound(world, run, { scores: { 1: 0, 2: -1, 3: 0, 4: 0, 5: 0 } });
      await end(run);
      await settle(run);
      const before = await balance(world.admin.address);
      await reverts(world, send(world.outsider, world.rewards, "claimRefund", [run]), "ShapleyRewardsUnauthorized");
      await send(world.admin, world.rewards, "claimRefund", [run]);
      assert.equal((await balance(world.admin.address)) - before, POOL);
      await reverts(world, send(world.admin, world.rewards, "claimRefund", [run]), "ShapleyRewardsNothingToRefund");
    });

    it("refunds a run in which no round was ever finalised", async () => {
      const run = await openRun(world, { rounds: 1, maxOpenings: 2 });
      for (let i = 0; i < 2; i++) await skipPhase(world, run, await openRound(world, run), "judgeEnd");
      await settle(run);
      await send(world.admin, world.rewards, "claimRefund", [run]);
    });

    it("a token that calls back during a claim gets nothing twice", async () => {
      const token = await world.connection.ethers.deployContract("ReentrantToken");
      const address = await token.getAddress();
      await send(world.admin, token, "mint", [world.admin.address, POOL]);
      await send(world.admin, token, "approve", [world.addresses.rewards, POOL]);
      const run = await openRun(world, { rounds: 1, token: address });
      await playRound(world, run);
      await end(run);
      const split = await cutOffs(run);
      await settle(run, split.contributionCutOff, split.participationCutOff);
      await send(world.admin, token, "arm", [
        world.addresses.rewards,
        world.rewards.interface.encodeFunctionData("claim", [run]),
      ]);
      await reverts(world, claim(run, member(1)), "ReentrancyGuardReentrantCall");
    });
  });

  describe("disputes", () => {
    let run: bigint;
    let played: PlayedRound;
    const dispute = async (by: Party) => {
      await send(world.admin, world.token, "mint", [by.wallet.address, BOND]);
      await send(by.account, world.token, "approve", [world.addresses.rewards, BOND]);
      return send(by.account, world.rewards, "dispute", [run, played.round]);
    };
    const vote = (index: number) => send(validator(index).account, world.rewards, "voteToVoid", [run, played.round]);
    const voidScores = (change: { scores?: readonly number[]; result?: object; committed?: readonly unknown[] } = {}) =>
      send(world.outsider, world.rewards, "voidScores", [
        { ...played.result, ...change.result },
        change.committed ?? played.finalisation.committed,
        change.scores ?? played.finalisation.scores,
      ]);
    const disputeOf = () => read(world.rewards, "disputeOf", [run, played.round]);

    const start = async () => {
      run = await openRun(world, { rounds: 1, challengeBlocks: 60 });
      played = await playRound(world, run, { scores: { 1: 5, 2: 3, 3: -4, 4: 1, 5: 1 } });
    };

    it("q votes take C and P of the round back and return the bond", async () => {
      await start();
      await dispute(member(3));
      for (const index of [0, 1]) await vote(index);
      await reverts(world, voidScores(), "ShapleyRewardsNotUpheld", { votes: 2, quorum: 3 });
      await vote(2);
      await voidScores();
      const { contribution, participation, reputation } = await standing(run, 1);
      assert.deepEqual([contribution, participation], [0n, 0n]);
      assert.equal(reputation, BigInt(nextReputation(65_536, 52_429, true)), "reputation stays");
      await send(member(3).account, world.rewards, "withdrawBond", [run, played.round]);
      assert.equal(await balance(member(3).wallet.address), BOND);
      await reverts(
        world,
        send(member(3).account, world.rewards, "withdrawBond", [run, played.round]),
        "ShapleyRewardsNoBond",
      );
      await end(run);
      await settle(run);
      assert.equal(
        (await read(world.rewards, "accountOf", [run])).refund,
        POOL,
        "nobody participated in a round that counts",
      );
    });

    it("without q votes the scores stand and the bond falls to the pool", async () => {
      await start();
      await dispute(member(3));
      await vote(0);
      await end(run);
      const split = await cutOffs(run, POOL + BOND);
      await reverts(
        world,
        send(member(3).account, world.rewards, "withdrawBond", [run, played.round]),
        "ShapleyRewardsNoBond",
      );
      await settle(run, split.contributionCutOff, split.participationCutOff);
      assert.equal(
        split.amounts.reduce((a, b) => a + b),
        POOL + BOND,
      );
      for (const [i, by] of world.members.entries()) if (split.amounts[i] !== 0n) await claim(run, by);
      assert.equal(await balance(world.addresses.rewards), 0n);
    });

    it("dispute spam: one per party and round, within the window, with a bond, by members and validators", async () => {
      await start();
      await dispute(member(1));
      await reverts(world, dispute(member(1)), "ShapleyRewardsAlreadyDisputed", { id: 1 });
      const [next] = (await parties(world.connection, "next", 1)) as [Party];
      await send(member(1).account, world.consortium, "rotateMemberKeys", [next.wallet.address, next.encryptionKey]);
      await reverts(world, dispute(next), "ShapleyRewardsAlreadyDisputed", { id: 1 });
      await dispute(validator(0));
      await reverts(world, send(world.outsider, world.rewards, "dispute", [run, 1]), "ShapleyRewardsUnauthorized");
      await reverts(world, send(member(2).account, world.rewards, "dispute", [run, 1]), "ERC20InsufficientAllowance");
      await send(world.admin, world.consortium, "setMemberSuspended", [4, true]);
      await reverts(world, dispute(member(4)), "ShapleyRewardsUnauthorized");
      const { raiseEnd } = await disputeOf();
      assert.equal(
        (await read(world.rewards, "accountOf", [run])).windowEnd,
        raiseEnd + 60n,
        "disputes delay settlement once",
      );
      await advanceTo(world, Number(raiseEnd) + 3);
      await reverts(world, dispute(member(5)), "ShapleyRewardsWindowClosed", { windowEnd: raiseEnd });
      assert.equal((await disputeOf()).parties, 2n);
    });

    it("of rounds without scores", async () => {
      await start();
      const bonded = async (round: number) => send(member(1).account, world.rewards, "dispute", [run, round]);
      await reverts(world, bonded(9), "TrainingLedgerUnknownRound");
      const closing = await playAttested(world, run);
      await reverts(world, bonded(closing.round), "ShapleyRewardsNothingToDispute");
      await finalise(world, closing);
      await reverts(world, bonded(closing.round), "ShapleyRewardsNothingToDispute");
    });

    it("votes by outsiders, twice, too late, on nothing", async () => {
      await start();
      await reverts(world, vote(0), "ShapleyRewardsNotDisputed");
      await dispute(member(1));
      await reverts(
        world,
        send(member(1).account, world.rewards, "voteToVoid", [run, played.round]),
        "ConsortiumUnauthorized",
      );
      await vote(0);
      await reverts(world, vote(0), "ShapleyRewardsAlreadyVoted", { validatorId: 1 });
      const { raiseEnd } = await disputeOf();
      await advanceTo(world, Number(raiseEnd) + 61);
      await reverts(world, vote(1), "ShapleyRewardsWindowClosed", { windowEnd: raiseEnd + 60n });
    });

    it("scores other than those attested cannot be taken back, nor twice", async () => {
      await start();
      await dispute(member(1));
      for (const index of [0, 1, 2]) await vote(index);
      const { scores, committed } = played.finalisation;
      await reverts(world, voidScores({ scores: scores.map((score) => score + 1) }), "ShapleyRewardsScoresMismatch");
      await reverts(
        world,
        voidScores({ result: { scoresDigest: played.result.participantsRoot } }),
        "ProofOfTrainingNotTheResult",
      );
      await reverts(world, voidScores({ result: { kept: 0n } }), "ProofOfTrainingNotTheResult");
      await reverts(world, voidScores({ committed: committed.slice(1) }), "ProofOfTrainingCommitCount");
      await reverts(world, voidScores({ committed: [...committed].reverse() }), "ProofOfTrainingMembersNotAscending");
      await reverts(
        world,
        voidScores({ committed: committed.map((update) => ({ ...update, samples: 1 })) }),
        "ProofOfTrainingCommitMismatch",
      );
      await voidScores();
      await reverts(world, voidScores(), "ShapleyRewardsAlreadyVoided");
      await reverts(world, dispute(member(2)), "ShapleyRewardsNothingToDispute");
    });

    it("settlement waits for an upheld dispute to be applied", async () => {
      await start();
      await dispute(member(1));
      for (const index of [0, 1, 2]) await vote(index);
      await end(run);
      await reverts(world, settle(run), "ShapleyRewardsVoidPending", { rounds: 1 });
      await voidScores();
      await settle(run);
    });

    it("takes back only accepted and kept updates of a round with refusals", async () => {
      run = await openRun(world, { rounds: 1, challengeBlocks: 60 });
      played = await playRound(world, run, {
        verdicts: [0b11110n, 0b11110n, 0b11110n, 0b11110n],
        kept: 0b11100n,
        scores: { 3: 7, 4: -2, 5: 1 },
      });
      await dispute(member(1));
      for (const index of [1, 2, 3]) await vote(index);
      const accepted = played.finalisation.committed.slice(1);
      await reverts(
        world,
        voidScores({ committed: played.finalisation.committed.slice(0, 4) }),
        "ProofOfTrainingNotAccepted",
        { memberId: 1 },
      );
      await voidScores({ committed: accepted });
      for (const id of [1, 2, 3, 4, 5]) {
        const { contribution, participation } = await standing(run, id);
        assert.deepEqual([contribution, participation], [0n, 0n], `member ${id}`);
      }
    });
  });
});
