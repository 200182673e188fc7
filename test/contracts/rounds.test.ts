// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { ZeroHash } from "ethers";
import { genesisHead, roundHead } from "../../src/protocol/attestation.ts";
import { nextBeacon } from "../../src/protocol/beacon.ts";
import type { Hex } from "../../src/protocol/bytes.ts";
import { reverts } from "./support/reverts.ts";
import {
  attest,
  commit,
  finalise,
  giveVerdict,
  openRound,
  openRun,
  playCommits,
  playJudged,
  playRound,
  skipPhase,
} from "./support/round.ts";
import {
  beaconChain,
  blockNumber,
  deployWorld,
  isolate,
  type Party,
  read,
  send,
  type World,
  word,
} from "./support/world.ts";

describe("rounds", () => {
  let world: World;
  const validator = (index: number) => world.validators[index] as Party;
  const member = (id: number) => world.members[id - 1] as Party;
  const view = (run: bigint, round: number) => read(world.ledger, "roundOf", [run, round]);
  const failRound = async (run: bigint) => {
    const round = await openRound(world, run);
    await skipPhase(world, run, round, "judgeEnd");
    return round;
  };

  before(async () => {
    world = await deployWorld();
  });
  isolate(() => world);

  it("fixes deadlines at the opening block", async () => {
    const run = await openRun(world);
    const round = await openRound(world, run);
    const opened = BigInt(await blockNumber(world));
    const state = await view(run, round);
    assert.deepEqual(
      [
        state.openedBlock,
        state.commitDeadline,
        state.fetchDeadline,
        state.judgeDeadline,
        state.attestDeadline,
        state.finaliseDeadline,
      ],
      [opened, opened + 20n, opened + 25n, opened + 40n, opened + 60n, opened + 80n],
    );
    assert.deepEqual(
      [state.validators, state.quorum, state.activeMembers, state.invited, state.places],
      [4n, 3n, 5n, 5n, 5n],
    );
  });

  it("ends phases early when everyone entitled has acted, and keeps the deadlines", async () => {
    const run = await openRun(world);
    const { round } = await playCommits(world, run);
    const committed = BigInt(await blockNumber(world));
    for (const by of world.validators) await giveVerdict(world, run, round, by, 0b11111n, 5);
    const judged = BigInt(await blockNumber(world));
    const state = await view(run, round);
    assert.deepEqual([state.commitEnd, state.judgeEnd, state.attestEnd], [committed, judged, state.attestDeadline]);
    assert.equal(state.fetchDeadline, committed + 5n);
    assert.equal(state.judgeDeadline, state.openedBlock + 40n);
  });

  it("the head binds result, validators, rule and parameters, and lineage follows it", async () => {
    const run = await openRun(world);
    const params = await read(world.ledger, "paramsOf", [run]);
    const { paramsDigest } = await read(world.ledger, "runOf", [run]);
    const genesis = genesisHead({
      chainId: world.chainId,
      ledger: world.addresses.ledger,
      run,
      paramsDigest,
      initialModelRoot: params.initialModelRoot,
      initialCheckpointCid: params.initialCheckpointCid,
    });
    assert.equal((await read(world.ledger, "recordOf", [run, 0])).head, genesis);
    assert.equal(await read(world.ledger, "beaconOf", [run, 0]), genesis);

    const first = await playRound(world, run);
    assert.equal(first.result.head, genesis);
    const binding = {
      validatorSetDigest: (await read(world.consortium, "validatorSetDigest", [1])) as Hex,
      ruleId: params.ruleId,
      paramsDigest,
    };
    const head = roundHead(first.result, binding, { chainId: world.chainId, proofOfTraining: world.addresses.proof });
    const failed = await failRound(run);
    const third = await playRound(world, run);

    assert.deepEqual([...(await read(world.ledger, "lineage", [run, 0]))], [genesis, 0n, ZeroHash]);
    assert.deepEqual([...(await read(world.ledger, "lineage", [run, 1]))], [head, 0n, genesis]);
    assert.equal(third.result.head, head, "a failed round does not move the head");
    const [thirdHead, parentRound, parentHead] = await read(world.ledger, "lineage", [run, 3]);
    assert.deepEqual([parentRound, parentHead], [1n, head]);
    assert.equal((await read(world.ledger, "runOf", [run])).head, thirdHead);
    await reverts(world, read(world.ledger, "lineage", [run, failed]), "TrainingLedgerNotFinalised", { round: failed });
    await reverts(world, read(world.ledger, "recordOf", [run, 9]), "TrainingLedgerNotFinalised");
  });

  it("knows final models and their rounds", async () => {
    const run = await openRun(world);
    const { result } = await playRound(world, run);
    assert.equal(await read(world.ledger, "isFinalModel", [result.modelRoot]), true);
    assert.deepEqual([...(await read(world.ledger, "finalModelOf", [result.modelRoot]))], [run, 1n]);
    assert.equal(await read(world.ledger, "isFinalModel", [word("initial model")]), false);
    const { modelRoot, checkpointCid, headRound } = await read(world.ledger, "runOf", [run]);
    assert.deepEqual([modelRoot, checkpointCid, headRound], [result.modelRoot, result.checkpointCid, 1n]);
  });

  it("the beacon takes the reveals of those that gave a verdict, by index, failed rounds included", async () => {
    const run = await openRun(world);
    const reveals = (count: number, indices: number[]) =>
      indices.map((index) => beaconChain(validator(index), run)[count] as Hex);
    const first = await playJudged(world, run, { verdicts: [0b11111n, undefined, 0b11111n, 0b11111n] });
    const genesis = (await read(world.ledger, "beaconOf", [run, 0])) as Hex;
    const beacon = nextBeacon(genesis, reveals(1, [0, 2, 3]));
    for (const index of [0, 2, 3]) await attest(world, first, validator(index));
    await skipPhase(world, run, first.round, "attestEnd");
    await finalise(world, first, validator(1));
    assert.equal(await read(world.ledger, "beaconOf", [run, 1]), beacon);

    const { round } = await playCommits(world, run, { committers: world.members });
    // Validator 1 was silent once and is one preimage behind.
    await giveVerdict(world, run, round, validator(1), 0n, 5);
    await skipPhase(world, run, round, "judgeEnd");
    await openRound(world, run);
    assert.equal(await read(world.ledger, "beaconOf", [run, 2]), nextBeacon(beacon, reveals(1, [1])));
    assert.equal((await view(run, 3)).beaconBefore, nextBeacon(beacon, reveals(1, [1])));
    assert.equal(await read(world.ledger, "beaconOf", [run, 1]), beacon, "a stored beacon does not follow the tips");
  });

  it("a round without any verdict still moves the beacon", async () => {
    const run = await openRun(world);
    const genesis = (await read(world.ledger, "beaconOf", [run, 0])) as Hex;
    await failRound(run);
    await openRound(world, run);
    assert.equal(await read(world.ledger, "beaconOf", [run, 1]), nextBeacon(genesis, []));
  });

  describe("failures", () => {
    const failureOf = (run: bigint, round: number) => read(world.ledger, "failureOf", [run, round]);

    it("NoVerdicts goes before TooFewAccepted", async () => {
      const run = await openRun(world);
      const { round } = await playCommits(world, run);
      for (const index of [0, 1]) await giveVerdict(world, run, round, validator(index), 0b11111n, 5);
      await skipPhase(world, run, round, "judgeEnd");
      await openRound(world, run);
      assert.equal(await failureOf(run, round), 1n);
      assert.equal(await read(world.ledger, "phaseOf", [run, round]), 6n);
    });

    it("TooFewAccepted", async () => {
      const run = await openRun(world);
      const played = await playJudged(world, run, { committers: world.members.slice(0, 2) });
      await openRound(world, run);
      assert.equal(await failureOf(run, played.round), 2n);
    });

    it("a failed round changes neither reputation nor head, and is not counted", async () => {
      const run = await openRun(world);
      await playJudged(world, run, { verdicts: [0n, 0n, 0n, 0n] });
      await openRound(world, run);
      const { finalisedRounds, headRound, lastRound } = await read(world.ledger, "runOf", [run]);
      assert.deepEqual([finalisedRounds, headRound, lastRound], [0n, 0n, 2n]);
      const standing = await read(world.rewards, "standingOf", [run, 1]);
      assert.deepEqual([standing.reputation, standing.known], [65_536n, false]);
    });
  });

  describe("the end of a run", () => {
    const hasEnded = (run: bigint) => read(world.ledger, "hasEnded", [run]);

    it("is the finalised closing round, which changes nothing but the head", async () => {
      const run = await openRun(world, { rounds: 2, maxOpenings: 8 });
      await playRound(world, run);
      const last = await playRound(world, run);
      const before = await read(world.rewards, "standingOf", [run, 2]);
      assert.equal(await hasEnded(run), false);
      const closing = await playRound(world, run);
      assert.equal((await view(run, closing.round)).closing, true);
      const { modelRoot, finalisedRounds, headRound } = await read(world.ledger, "runOf", [run]);
      assert.deepEqual([modelRoot, finalisedRounds, headRound], [last.result.modelRoot, 2n, 3n]);
      assert.deepEqual([...(await read(world.rewards, "standingOf", [run, 2]))], [...before]);
      assert.deepEqual([...(await read(world.ledger, "finalModelOf", [modelRoot]))], [run, 2n]);
      assert.equal(await hasEnded(run), true);
      await reverts(world, openRound(world, run), "TrainingLedgerRunEnded");
    });

    it("is the second failed closing round", async () => {
      const run = await openRun(world, { rounds: 1, maxOpenings: 8 });
      await playRound(world, run);
      await failRound(run);
      assert.equal(await hasEnded(run), false);
      await failRound(run);
      await send(world.admin, world.token, "mint", [world.admin.address, 1n]);
      assert.equal(await hasEnded(run), true);
      await reverts(world, openRound(world, run), "TrainingLedgerRunEnded");
    });

    it("is a closing round finalised after one failure", async () => {
      const run = await openRun(world, { rounds: 1, maxOpenings: 8 });
      await playRound(world, run);
      await failRound(run);
      await playRound(world, run);
      assert.equal(await hasEnded(run), true);
    });

    it("is the last opening's, whatever became of it", async () => {
      const run = await openRun(world, { rounds: 2, maxOpenings: 3 });
      for (let i = 0; i < 3; i++) {
        assert.equal(await hasEnded(run), false);
        await failRound(run);
      }
      await send(world.admin, world.token, "mint", [world.admin.address, 1n]);
      assert.equal(await hasEnded(run), true);
      await reverts(world, openRound(world, run), "TrainingLedgerRunEnded");
    });

    it("all members are invited to the closing round, however small the cohort", async () => {
      const large = await deployWorld({ members: 14, validators: 1, capacity: 32 });
      const run = await openRun(large, { rounds: 1, cohort: 11, capacity: 32, maxOpenings: 5 });
      await playRound(large, run);
      const round = await openRound(large, run);
      const state = await read(large.ledger, "roundOf", [run, round]);
      assert.deepEqual([state.closing, state.invited, state.activeMembers], [true, 14n, 14n]);
    });
  });

  it("a single validator is a set with q = 1", async () => {
    const lone = await deployWorld({ validators: 1 });
    const run = await openRun(lone);
    await playRound(lone, run);
    assert.equal((await read(lone.ledger, "roundOf", [run, 1])).quorum, 1n);
  });

  it("runs are apart: the same round of two runs side by side", async () => {
    const [a, b] = [await openRun(world), await openRun(world)];
    const roundA = await openRound(world, a);
    const roundB = await openRound(world, b);
    await commit(world, a, roundA, member(1));
    assert.equal((await view(b, roundB)).commits, 0n);
    await commit(world, b, roundB, member(1));
    assert.notEqual(await read(world.ledger, "commitOf", [a, 1, 1]), await read(world.ledger, "commitOf", [b, 1, 1]));
  });

  it("refuses rounds that do not exist", async () => {
    const run = await openRun(world);
    for (const round of [0, 1]) await reverts(world, view(run, round), "TrainingLedgerUnknownRound", { round });
    await reverts(world, read(world.ledger, "runOf", [run + 1n]), "TrainingLedgerUnknownRun");
  });
});
