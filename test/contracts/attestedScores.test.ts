// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import fc from "fast-check";
import { splitReward } from "../../src/incentives/splitReward.ts";
import { mediansOf } from "../../src/protocol/attestedScores.ts";
import { nextReputation } from "../../src/protocol/reputation.ts";
import {
  attestedScoresOf,
  attestWithScores,
  book,
  commitmentTo,
  keptMembers,
  playScored,
  playScoredAttested,
  playScoredJudged,
  reveal,
  type ScoredRound,
} from "./support/attestedScores.ts";
import { reverts } from "./support/reverts.ts";
import {
  attest,
  describeRound,
  finalise,
  openRun,
  playAttested,
  playJudged,
  playRound,
  sealOf,
  skipPhase,
} from "./support/round.ts";
import {
  advanceTo,
  blockNumber,
  deployWorld,
  impersonate,
  isolate,
  type Party,
  read,
  send,
  type World,
  word,
} from "./support/world.ts";

const NONE = { remainder: 0n, memberId: 0 };
const POOL = 1_000_003n;
const BOND = 500n;
const WINDOW = 40;

describe("attested scores", () => {
  let world: World;
  const validator = (index: number) => world.validators[index] as Party;
  const member = (id: number) => world.members[id - 1] as Party;
  const openAttested = (overrides: Record<string, unknown> = {}) =>
    openRun(world, { scoring: 1, rounds: 1, challengeBlocks: WINDOW, ...overrides });
  const standings = (run: bigint) =>
    Promise.all(
      world.members.map(async ({ id }) => {
        const { contribution, participation } = await read(world.rewards, "standingOf", [run, id]);
        return [Number(contribution), Number(participation)];
      }),
    );
  const NOTHING = () => world.members.map(() => [0, 0]);
  /** Mines until the next transaction can book the round. */
  const waitForBooking = async (round: ScoredRound) =>
    advanceTo(world, (await attestedScoresOf(world, round)).bookAfter + 1);
  const dispute = async (by: Party, { run, round }: ScoredRound) => {
    await send(world.admin, world.token, "mint", [by.wallet.address, BOND]);
    await send(by.account, world.token, "approve", [world.addresses.rewards, BOND]);
    return send(by.account, world.rewards, "dispute", [run, round]);
  };
  const vote = (index: number, { run, round }: ScoredRound) =>
    send(validator(index).account, world.rewards, "voteToVoid", [run, round]);
  const settle = (run: bigint, contribution: unknown = NONE, participation: unknown = NONE) =>
    send(world.outsider, world.rewards, "settle", [run, contribution, participation]);
  /** Ends a run of one round by its closing round. */
  const end = async (run: bigint) => {
    await playRound(world, run);
    const { windowEnd } = await read(world.rewards, "accountOf", [run]);
    if (Number(windowEnd) >= (await blockNumber(world))) await advanceTo(world, Number(windowEnd) + 1);
  };

  before(async () => {
    world = await deployWorld();
  });
  isolate(() => world);

  describe("when all goes well", () => {
    it("each kept update gets the lower median of what was revealed", async () => {
      const run = await openAttested();
      const scores = [
        [10, -5, 0, 7, 1],
        [30, -9, 3, 7, 1],
        [20, -7, -3, 7, 1],
        [2_147_483_647, -2_147_483_648, -1, 8, 1],
      ];
      const played = await playScored(world, run, { scores });
      assert.deepEqual(await standings(run), NOTHING(), "nothing is booked at finalisation");
      for (const index of [0, 1, 2, 3]) await reveal(world, played, index);
      assert.deepEqual((await attestedScoresOf(world, played)).revealed, 0b1111n);
      await waitForBooking(played);
      await book(world, played, [0, 1, 2, 3]);
      // 20, −9, −1, 7, 1; participation counts scores above 0.
      assert.deepEqual(await standings(run), [
        [20, 1],
        [-9, 0],
        [-1, 0],
        [7, 1],
        [1, 1],
      ]);
      assert.ok((await attestedScoresOf(world, played)).booked);
    });

    it("reputations move at finalisation, as in any run", async () => {
      const run = await openAttested();
      await playScored(world, run, { kept: 0b00111n });
      const reputationOf = async (id: number) => (await read(world.rewards, "standingOf", [run, id])).reputation;
      assert.equal(await reputationOf(1), BigInt(nextReputation(65_536, 52_429, true)));
      assert.equal(await reputationOf(5), BigInt(nextReputation(65_536, 52_429, false)));
    });

    it("only accepted and kept updates are booked, in the order of their members", async () => {
      const run = await openAttested();
      const committers = [5, 3, 1, 4, 2].map(member);
      // Commit 0 (member 5) is refused, commit 3 (member 4) accepted and not kept.
      const verdicts = [0b11110n, 0b11110n, 0b11110n, 0b11110n];
      const scores = [1, 2, 3, 4].map((by) => [by, 10 * by, 100 * by]);
      const played = await playScored(world, run, { committers, verdicts, kept: 0b10110n, scores });
      assert.deepEqual(keptMembers(played), [1, 2, 3]);
      for (const index of [3, 0, 2]) await reveal(world, played, index);
      await waitForBooking(played);
      await book(world, played, [0, 2, 3]);
      assert.deepEqual(await standings(run), [
        [3, 1],
        [30, 1],
        [300, 1],
        [0, 0],
        [0, 0],
      ]);
    });

    it("the settled pool is paid out exactly", async () => {
      const run = await openAttested();
      const played = await playScored(world, run);
      for (const index of [0, 1, 2]) await reveal(world, played, index);
      await waitForBooking(played);
      await book(world, played, [0, 1, 2]);
      await end(run);
      const records = (await standings(run)).map(([contribution, participation], i) => ({
        memberId: i + 1,
        contribution: BigInt(contribution as number),
        participation: BigInt(participation as number),
      }));
      const split = splitReward(POOL, 45_875, records);
      await settle(run, split.contributionCutOff, split.participationCutOff);
      for (const [i, by] of world.members.entries()) {
        await send(by.account, world.rewards, "claim", [run]);
        assert.equal(await read(world.token, "balanceOf", [by.wallet.address]), split.amounts[i]);
      }
      assert.equal(await read(world.token, "balanceOf", [world.addresses.rewards]), 0n);
    });

    it("of rounds whose windows overlap are kept apart", async () => {
      const run = await openAttested({ rounds: 2 });
      const first = await playScored(world, run, { scores: [1, 1, 1, 1].map((x) => [x, x, x, x, x]) });
      const second = await playScored(world, run, { scores: [5, 5, 5, 5].map((x) => [x, x, x, x, x]) });
      for (const index of [0, 1, 2]) await reveal(world, second, index);
      for (const index of [1, 2, 3]) await reveal(world, first, index);
      assert.equal((await read(world.rewards, "accountOf", [run])).pendingScores, 2n);
      await waitForBooking(second);
      await book(world, second, [0, 1, 2]);
      await book(world, first, [1, 2, 3]);
      assert.deepEqual(await standings(run), Array(5).fill([6, 2]));
      assert.equal((await read(world.rewards, "accountOf", [run])).pendingScores, 0n);
    });

    it("scores not revealed by too many: fewer than 2f+1 reveals give 0 to all, and settlement goes on", async () => {
      const run = await openAttested();
      const played = await playScored(world, run);
      for (const index of [0, 3]) await reveal(world, played, index);
      await waitForBooking(played);
      await book(world, played, [0, 3]);
      assert.deepEqual(await standings(run), NOTHING());
      await end(run);
      await settle(run);
      assert.equal((await read(world.rewards, "accountOf", [run])).refund, POOL);
    });

    it("scores not revealed by anybody: 0 for all", async () => {
      const run = await openAttested();
      const played = await playScored(world, run);
      await waitForBooking(played);
      await book(world, played, []);
      assert.deepEqual(await standings(run), NOTHING());
    });
  });

  describe("with the seal", () => {
    it("a score commitment in an exact run", async () => {
      const run = await openRun(world);
      const played = await playJudged(world, run);
      const args = [run, played.round, sealOf(world, played.result, validator(0)), word("commitment")];
      await reverts(
        world,
        send(validator(0).account, world.proof, "attestWithScores", args),
        "ProofOfTrainingScoresUnwanted",
        { run, round: played.round },
      );
    });

    it("no score commitment in an attested run", async () => {
      const run = await openAttested();
      const played = await playScoredJudged(world, run);
      await reverts(world, attest(world, played, validator(0)), "ProofOfTrainingScoresMissing", { run });
      const zero = [run, played.round, sealOf(world, played.result, validator(0)), `0x${"00".repeat(32)}`];
      await reverts(
        world,
        send(validator(0).account, world.proof, "attestWithScores", zero),
        "ProofOfTrainingScoresMissing",
      );
      assert.equal((await read(world.ledger, "roundOf", [run, played.round])).attestations, 0n);
    });

    it("a score commitment in the closing round", async () => {
      const run = await openAttested();
      await playScored(world, run);
      const closing = await playJudged(world, run);
      const args = [run, closing.round, sealOf(world, closing.result, validator(0)), word("commitment")];
      await reverts(
        world,
        send(validator(0).account, world.proof, "attestWithScores", args),
        "ProofOfTrainingScoresUnwanted",
      );
    });

    it("a second commitment", async () => {
      const run = await openAttested();
      const played = await playScoredJudged(world, run);
      await attestWithScores(world, played, 0);
      await reverts(world, attestWithScores(world, played, 0), "TrainingLedgerAlreadyAttested");
    });

    it("a commitment out of phase", async () => {
      const run = await openAttested();
      const judged = await playScoredJudged(world, run);
      await skipPhase(world, run, judged.round, "attestEnd");
      await reverts(world, attestWithScores(world, judged, 0), "TrainingLedgerWrongPhase");
      const next = await openAttested();
      const played = await playScored(world, next);
      await reverts(world, attestWithScores(world, played, 0), "TrainingLedgerWrongPhase");
    });

    it("a commitment by somebody who is no validator, or suspended", async () => {
      const run = await openAttested();
      const { round, result } = await playScoredJudged(world, run);
      const args = [run, round, sealOf(world, result, validator(0)), word("commitment")];
      for (const account of [world.outsider, world.admin, member(1).account])
        await reverts(world, send(account, world.proof, "attestWithScores", args), "ConsortiumUnauthorized");
      await send(world.admin, world.consortium, "setValidatorSuspended", [1, true]);
      await reverts(world, send(validator(0).account, world.proof, "attestWithScores", args), "ConsortiumSuspended");
      assert.equal(BigInt(await read(world.rewards, "scoreCommitmentOf", [run, round, 0])), 0n);
    });

    it("a commitment that does not come through ProofOfTraining", async () => {
      const run = await openAttested();
      for (const account of [world.admin, validator(0).account, await impersonate(world, world.addresses.ledger)]) {
        await reverts(
          world,
          send(account, world.rewards, "commitScores", [run, 1, 1, 0, word("commitment")]),
          "ShapleyRewardsUnauthorized",
        );
      }
    });

    it("scores in the result of an attested run", async () => {
      const run = await openAttested();
      const judged = await playScoredJudged(world, run);
      // A quorum seals a result with scores: the contract refuses it all the same.
      const played = {
        ...(await describeRound(world, run, judged.round, judged.committed, { scores: { 1: 0, 2: 0, 3: 9, 4: 0 } })),
        reveals: judged.reveals,
      };
      for (const index of [0, 1, 2, 3]) await attestWithScores(world, played, index);
      await skipPhase(world, run, played.round, "attestEnd");
      await reverts(world, finalise(world, played), "ShapleyRewardsScoreInResult", { memberId: 3, score: 9 });
    });
  });

  describe("revealing", () => {
    let run: bigint;
    let played: ScoredRound;
    const start = async (plan: Parameters<typeof playScored>[2] = {}) => {
      run = await openAttested();
      played = await playScored(world, run, plan);
    };

    it("a reveal of another validator's scores, copied", async () => {
      await start();
      const { scores, salt } = played.reveals[0] as ScoredRound["reveals"][number];
      const args = [run, played.round, scores, salt];
      await reverts(
        world,
        send(validator(1).account, world.rewards, "revealScores", args),
        "ShapleyRewardsCommitmentMismatch",
        { validatorIndex: 1, committed: commitmentTo(world, played, 1, played.reveals[1] as never) },
      );
    });

    it("a reveal by somebody who is no validator", async () => {
      await start();
      const { scores, salt } = played.reveals[0] as ScoredRound["reveals"][number];
      const args = [run, played.round, scores, salt];
      for (const account of [world.outsider, world.admin, member(1).account])
        await reverts(world, send(account, world.rewards, "revealScores", args), "ConsortiumUnauthorized");
    });

    it("a commitment copied from another validator cannot be opened", async () => {
      run = await openAttested();
      const judged = await playScoredJudged(world, run);
      await attestWithScores(world, judged, 0);
      const copied = commitmentTo(world, judged, 0, judged.reveals[0] as never);
      const seal = sealOf(world, judged.result, validator(1));
      await send(validator(1).account, world.proof, "attestWithScores", [run, judged.round, seal, copied]);
      for (const index of [2, 3]) await attestWithScores(world, judged, index);
      await finalise(world, judged);
      await reveal(world, judged, 0);
      const { scores, salt } = judged.reveals[0] as ScoredRound["reveals"][number];
      await reverts(world, reveal(world, judged, 1, { scores, salt }), "ShapleyRewardsCommitmentMismatch", {
        committed: copied,
      });
    });

    it("a commitment of another round cannot be opened again", async () => {
      run = await openAttested({ rounds: 2 });
      const first = await playScored(world, run);
      const second = await playScored(world, run, { scores: first.reveals.map(({ scores }) => scores) });
      await reverts(
        world,
        reveal(world, second, 0, { salt: first.reveals[0]?.salt as `0x${string}` }),
        "ShapleyRewardsCommitmentMismatch",
      );
    });

    it("scores revealed other than committed, or with another salt", async () => {
      await start();
      await reverts(world, reveal(world, played, 0, { scores: [1, 2, 3, 4, 5] }), "ShapleyRewardsCommitmentMismatch", {
        validatorIndex: 0,
      });
      await reverts(world, reveal(world, played, 0, { salt: word("x") }), "ShapleyRewardsCommitmentMismatch");
    });

    it("a validator that did not attest has nothing to reveal", async () => {
      await start({ attesters: world.validators.slice(0, 3) });
      await reverts(world, reveal(world, played, 3), "ShapleyRewardsCommitmentMismatch", {
        committed: `0x${"00".repeat(32)}`,
      });
    });

    it("a reveal out of phase: too late", async () => {
      await start();
      const { revealEnd } = await attestedScoresOf(world, played);
      await advanceTo(world, revealEnd);
      await reveal(world, played, 0);
      await reverts(world, reveal(world, played, 1), "ShapleyRewardsWindowClosed", { windowEnd: revealEnd });
    });

    it("a reveal twice", async () => {
      await start();
      await reveal(world, played, 2);
      await reverts(world, reveal(world, played, 2), "ShapleyRewardsAlreadyRevealed", { validatorId: 3 });
    });

    it("a reveal out of phase: before finalisation", async () => {
      run = await openAttested();
      const attested = await playScoredAttested(world, run);
      await reverts(world, reveal(world, attested, 0), "ShapleyRewardsNoAttestedScores", { round: attested.round });
    });

    it("a reveal in a closing round, an exact run, a round nobody opened", async () => {
      await start();
      const closing = await playRound(world, run);
      const none: [bigint, number] = [run, closing.round];
      const exact = await openRun(world);
      const { round } = await playRound(world, exact);
      for (const place of [none, [exact, round]]) {
        await reverts(
          world,
          send(validator(0).account, world.rewards, "revealScores", [...place, [], word("salt")]),
          "ShapleyRewardsNoAttestedScores",
        );
      }
      await reverts(
        world,
        send(validator(0).account, world.rewards, "revealScores", [run, 9, [], word("salt")]),
        "TrainingLedgerUnknownRound",
      );
    });

    it("a score for a member that was not kept has no place", async () => {
      // Committed and revealed for five accepted updates, of which four are kept.
      await start({ kept: 0b01111n, scores: [1, 2, 3, 4].map((by) => [by, by, by, by, 99]) });
      await reverts(world, reveal(world, played, 0), "ShapleyRewardsScoreCount", { scores: 5, kept: 4 });
    });

    it("scores of the wrong length", async () => {
      await start({ scores: [[1, 2, 3, 4], [], [1, 2, 3, 4, 5, 6], []] });
      await reverts(world, reveal(world, played, 0), "ShapleyRewardsScoreCount", { scores: 4, kept: 5 });
      await reverts(world, reveal(world, played, 1), "ShapleyRewardsScoreCount", { scores: 0, kept: 5 });
      await reverts(world, reveal(world, played, 2), "ShapleyRewardsScoreCount", { scores: 6, kept: 5 });
    });

    it("a suspended validator", async () => {
      await start();
      await send(world.admin, world.consortium, "setValidatorSuspended", [1, true]);
      await reverts(world, reveal(world, played, 0), "ConsortiumSuspended");
    });
  });

  describe("booking", () => {
    let run: bigint;
    let played: ScoredRound;
    /** A round with all revealed but one validator's. */
    const start = async () => {
      run = await openAttested();
      played = await playScored(world, run);
      for (const index of [0, 1, 3]) await reveal(world, played, index);
    };
    const revealOf = (index: number) => played.reveals[index] as ScoredRound["reveals"][number];

    it("before the window is over", async () => {
      await start();
      const { bookAfter } = await attestedScoresOf(world, played);
      await reverts(world, book(world, played, [0, 1, 3]), "ShapleyRewardsWindowOpen", { windowEnd: bookAfter });
      await advanceTo(world, bookAfter);
      await reverts(world, book(world, played, [0, 1, 3]), "ShapleyRewardsWindowOpen", { blockNumber: bookAfter });
      await book(world, played, [0, 1, 3]);
    });

    it("a reveal left out", async () => {
      await start();
      await waitForBooking(played);
      await reverts(world, book(world, played, [0, 1]), "ShapleyRewardsRevealCount", { given: 2, revealed: 3 });
      await reverts(world, book(world, played, []), "ShapleyRewardsRevealCount", { given: 0, revealed: 3 });
    });

    it("a reveal given twice, or one that was not revealed", async () => {
      await start();
      await waitForBooking(played);
      await reverts(world, book(world, played, [0, 1, 3, 3]), "ShapleyRewardsRevealCount", { given: 4 });
      await reverts(world, book(world, played, [0, 0, 1]), "ShapleyRewardsCommitmentMismatch", { validatorIndex: 1 });
      await reverts(world, book(world, played, [0, 1, 2]), "ShapleyRewardsCommitmentMismatch", { validatorIndex: 3 });
      await reverts(world, book(world, played, [0, 3, 1]), "ShapleyRewardsCommitmentMismatch", { validatorIndex: 1 });
    });

    it("a reveal altered", async () => {
      await start();
      await waitForBooking(played);
      const altered = { ...revealOf(3), scores: [2_000_000, ...revealOf(3).scores.slice(1)] };
      await reverts(
        world,
        book(world, played, [], { reveals: [revealOf(0), revealOf(1), altered] }),
        "ShapleyRewardsCommitmentMismatch",
        { validatorIndex: 3 },
      );
    });

    it("a stranger's reveal", async () => {
      await start();
      await waitForBooking(played);
      const stranger = { scores: [9, 9, 9, 9, 9], salt: word("stranger") };
      await reverts(
        world,
        book(world, played, [], { reveals: [revealOf(0), stranger, revealOf(3)] }),
        "ShapleyRewardsCommitmentMismatch",
        { validatorIndex: 1 },
      );
    });

    it("another result, or the updates of others", async () => {
      await start();
      await waitForBooking(played);
      await reverts(world, book(world, played, [0, 1, 3], { result: { kept: 0b1n } }), "ProofOfTrainingNotTheResult");
      const committed = [...played.finalisation.committed].reverse();
      const args = [played.result, committed, [0, 1, 3].map(revealOf)];
      await reverts(
        world,
        send(world.outsider, world.rewards, "bookScores", args),
        "ProofOfTrainingMembersNotAscending",
      );
    });

    it("twice", async () => {
      await start();
      await waitForBooking(played);
      await book(world, played, [0, 1, 3]);
      const before = await standings(run);
      await reverts(world, book(world, played, [0, 1, 3]), "ShapleyRewardsAlreadyBooked", { round: played.round });
      assert.deepEqual(await standings(run), before);
    });

    it("a round of an exact run, and one that is not finalised", async () => {
      const exact = await openRun(world);
      const finalised = { ...(await playRound(world, exact)), reveals: [] };
      await reverts(world, book(world, finalised, []), "ShapleyRewardsNoAttestedScores", { run: exact });
      run = await openAttested();
      const attested = await playScoredAttested(world, run);
      await reverts(world, book(world, attested, []), "ShapleyRewardsNoAttestedScores", { run });
    });

    it("settlement while scores are pending", async () => {
      await start();
      await end(run);
      await reverts(world, settle(run), "ShapleyRewardsScoresPending", { rounds: 1 });
      await book(world, played, [0, 1, 3]);
      const records = (await standings(run)).map(([contribution, participation], i) => ({
        memberId: i + 1,
        contribution: BigInt(contribution as number),
        participation: BigInt(participation as number),
      }));
      const { contributionCutOff, participationCutOff } = splitReward(POOL, 45_875, records);
      await settle(run, contributionCutOff, participationCutOff);
    });
  });

  describe("disputes", () => {
    let run: bigint;
    let played: ScoredRound;
    const start = async () => {
      run = await openAttested();
      played = await playScored(world, run);
    };

    it("an upheld one leaves 0 for all, returns the bond and lets the run settle", async () => {
      await start();
      for (const index of [0, 1, 2, 3]) await reveal(world, played, index);
      await dispute(member(2), played);
      for (const index of [0, 1, 2]) await vote(index, played);
      await reverts(world, book(world, played, [0, 1, 2, 3]), "ShapleyRewardsAlreadyVoided");
      await reverts(
        world,
        send(world.outsider, world.rewards, "voidScores", [
          played.result,
          played.finalisation.committed,
          played.finalisation.scores,
        ]),
        "ShapleyRewardsAlreadyVoided",
      );
      await vote(3, played);
      await send(member(2).account, world.rewards, "withdrawBond", [run, played.round]);
      const account = await read(world.rewards, "accountOf", [run]);
      assert.deepEqual([account.pendingScores, account.pendingVoids], [0n, 0n]);
      await end(run);
      await reverts(world, book(world, played, [0, 1, 2, 3]), "ShapleyRewardsAlreadyVoided");
      assert.deepEqual(await standings(run), NOTHING());
      await settle(run);
      assert.equal((await read(world.rewards, "accountOf", [run])).refund, POOL);
    });

    it("what was revealed in the last block can still be disputed", async () => {
      await start();
      const { revealEnd, bookAfter } = await attestedScoresOf(world, played);
      assert.equal(bookAfter, revealEnd + WINDOW);
      await advanceTo(world, revealEnd);
      await reveal(world, played, 0);
      await send(world.admin, world.token, "mint", [member(1).wallet.address, BOND]);
      await send(member(1).account, world.token, "approve", [world.addresses.rewards, BOND]);
      await advanceTo(world, bookAfter);
      await send(member(1).account, world.rewards, "dispute", [run, played.round]);
      assert.equal(
        (await attestedScoresOf(world, played)).bookAfter,
        bookAfter + WINDOW,
        "booking waits for the votes",
      );
      assert.equal((await read(world.rewards, "accountOf", [run])).windowEnd, BigInt(bookAfter + WINDOW));
      await advanceTo(world, bookAfter + 1);
      await reverts(world, book(world, played, [0]), "ShapleyRewardsWindowOpen", { windowEnd: bookAfter + WINDOW });
    });

    it("one without q votes: the scores are booked and the bond falls to the pool", async () => {
      await start();
      for (const index of [0, 1, 2]) await reveal(world, played, index);
      await dispute(member(2), played);
      for (const index of [0, 1]) await vote(index, played);
      await waitForBooking(played);
      await reverts(world, vote(2, played), "ShapleyRewardsWindowClosed");
      await book(world, played, [0, 1, 2]);
      assert.deepEqual((await standings(run))[0], [200, 1]);
      assert.equal((await read(world.rewards, "accountOf", [run])).bondsAtStake, BOND);
    });
  });

  it("f liars stay within the honest range, and the pool is conserved, whatever is revealed", async () => {
    const int32 = fc.oneof(
      fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }),
      fc.integer({ min: -3, max: 3 }),
      fc.constantFrom(-2_147_483_648, 2_147_483_647),
    );
    const vector = fc.array(int32, { minLength: 5, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(vector, { minLength: 4, maxLength: 4 }),
        fc.nat({ max: 3 }),
        fc.subarray([0, 1, 2, 3]),
        fc.bigInt(0n, 10n ** 30n),
        async (scores, liar, revealing, pool) => {
          const run = await openAttested({ pool, challengeBlocks: 5 });
          const held: bigint = await read(world.token, "balanceOf", [world.addresses.rewards]);
          const played = await playScored(world, run, { scores });
          for (const index of revealing) await reveal(world, played, index);
          await waitForBooking(played);
          await book(world, played, revealing);
          const expected = mediansOf(
            revealing.map((index) => scores[index] as number[]),
            5,
            4,
          );
          const booked = await standings(run);
          assert.deepEqual(
            booked,
            expected.map((score) => [score, score > 0 ? 1 : 0]),
          );
          const honest = revealing.filter((index) => index !== liar).map((index) => scores[index] as number[]);
          if (revealing.length >= 3) {
            for (const [row, score] of expected.entries()) {
              const range = honest.map((one) => one[row] as number);
              assert.ok(score >= Math.min(...range) && score <= Math.max(...range));
            }
          }
          await end(run);
          const split = splitReward(
            pool,
            45_875,
            expected.map((score, i) => ({
              memberId: i + 1,
              contribution: BigInt(score),
              participation: score > 0 ? 1n : 0n,
            })),
          );
          await settle(run, split.contributionCutOff, split.participationCutOff);
          for (const [i, by] of world.members.entries())
            if (split.amounts[i] !== 0n) await send(by.account, world.rewards, "claim", [run]);
          if (split.refund !== 0n) await send(world.admin, world.rewards, "claimRefund", [run]);
          assert.equal(await read(world.token, "balanceOf", [world.addresses.rewards]), held - pool);
        },
      ),
      { seed: 5_117, numRuns: 12 },
    );
  });

  it("a full round is booked within a block: 32 updates, 32 validators", async () => {
    const full = await deployWorld({ members: 32, validators: 32, capacity: 32 });
    const run = await openRun(full, {
      scoring: 1,
      rounds: 1,
      capacity: 32,
      commitBlocks: 100,
      judgeBlocks: 100,
      attestBlocks: 100,
      challengeBlocks: WINDOW,
    });
    // Descending by validator: the most work for the sort.
    const scores = full.validators.map((_, index) => Array.from({ length: 32 }, (__, row) => row - 1000 * index));
    const played = await playScored(full, run, { scores });
    for (const index of full.validators.keys()) await reveal(full, played, index);
    await advanceTo(full, (await attestedScoresOf(full, played)).bookAfter + 1);
    const { gasUsed } = await book(full, played, [...full.validators.keys()]);
    assert.ok(gasUsed < 8_000_000n, `${gasUsed} gas`);
    const { contribution } = await read(full.rewards, "standingOf", [run, 32]);
    assert.equal(contribution, 31n - 16_000n);
  });

  it("an exact run takes no attested scoring on the way", async () => {
    const run = await openRun(world, { rounds: 1, challengeBlocks: WINDOW });
    const played = await playAttested(world, run);
    await finalise(world, played);
    assert.deepEqual(await attestedScoresOf(world, played), {
      revealEnd: 0,
      bookAfter: 0,
      revealed: 0n,
      booked: false,
    });
    const { pendingScores, windowEnd } = await read(world.rewards, "accountOf", [run]);
    assert.equal(pendingScores, 0n);
    assert.equal(windowEnd, BigInt((await blockNumber(world)) + WINDOW));
  });
});
