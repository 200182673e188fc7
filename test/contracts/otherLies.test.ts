// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { ZeroAddress } from "ethers";
import { ruleIdOf } from "../../src/aggregation/rules.ts";
import { ruleId } from "../../src/protocol/recipe.ts";
import { reverts } from "./support/reverts.ts";
import {
  attest,
  commit,
  defaultParams,
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
  deployWorld,
  impersonate,
  isolate,
  type Party,
  parties,
  read,
  send,
  type World,
  word,
} from "./support/world.ts";

describe("lies of others", () => {
  let world: World;
  const validator = (index: number) => world.validators[index] as Party;
  const member = (id: number) => world.members[id - 1] as Party;
  const tryOpenRun = (overrides: Record<string, unknown>) =>
    send(world.admin, world.ledger, "openRun", [defaultParams(world, overrides)]);

  before(async () => {
    world = await deployWorld();
  });
  isolate(() => world);

  it("openRound by an outsider", async () => {
    const run = await openRun(world);
    const open = (by: { account: Party["account"] }) => send(by.account, world.ledger, "openRound", [run]);
    await reverts(world, send(world.outsider, world.ledger, "openRound", [run]), "TrainingLedgerUnauthorized", {
      account: world.outsider.address,
    });
    await reverts(world, send(world.admin, world.ledger, "openRound", [run]), "TrainingLedgerUnauthorized");
    await send(world.admin, world.consortium, "setMemberSuspended", [1, true]);
    await reverts(world, open(member(1)), "TrainingLedgerUnauthorized");
    await send(world.admin, world.consortium, "removeMember", [2]);
    await reverts(world, open(member(2)), "TrainingLedgerUnauthorized");
    const [auditor] = (await parties(world.connection, "auditor", 1)) as [Party];
    await send(world.admin, world.consortium, "admitAuditor", [auditor.wallet.address, auditor.encryptionKey]);
    await reverts(world, open(auditor), "TrainingLedgerUnauthorized");
    await open(member(3));
  });

  it("openRound while a round is under way", async () => {
    const run = await openRun(world);
    await openRound(world, run);
    await reverts(world, openRound(world, run), "TrainingLedgerRoundOpen", { round: 1, phase: 1 });
    const played = await playRound(world, await openRun(world));
    assert.equal(await read(world.ledger, "phaseOf", [played.run, 1]), 5n);
  });

  it("openRun by anyone but the admin", async () => {
    await reverts(
      world,
      send(member(1).account, world.ledger, "openRun", [defaultParams(world)]),
      "TrainingLedgerUnauthorized",
    );
  });

  it("openRound of a run that does not exist", async () => {
    await reverts(world, openRound(world, 1n), "TrainingLedgerUnknownRun", { run: 1 });
    await reverts(world, openRound(world, 0n), "TrainingLedgerUnknownRun", { run: 0 });
  });

  describe("in the middle of a round, its q and keys stay", () => {
    const setOf = async (run: bigint, round: number) => {
      const { validators, quorum, validatorSetVersion } = await read(world.ledger, "roundOf", [run, round]);
      return [validators, quorum, validatorSetVersion];
    };

    it("when a validator rotates its keys", async () => {
      const run = await openRun(world);
      const { round } = await playCommits(world, run);
      const [next] = (await parties(world.connection, "next", 1)) as [Party];
      await send(validator(0).account, world.consortium, "rotateValidatorKeys", [
        next.wallet.address,
        next.encryptionKey,
      ]);
      assert.deepEqual(await setOf(run, round), [4n, 3n, 1n]);
      await reverts(world, giveVerdict(world, run, round, { ...next, id: 1 }, 0b11111n, 5), "ConsortiumUnauthorized");
      await giveVerdict(world, run, round, validator(0), 0b11111n, 5);
      await skipPhase(world, run, round, "judgeEnd");
      const second = await openRound(world, run, validator(1));
      assert.deepEqual(await setOf(run, second), [4n, 3n, 2n]);
    });

    it("when a validator joins", async () => {
      const run = await openRun(world);
      const { round } = await playCommits(world, run);
      const [next] = (await parties(world.connection, "next", 1, 5)) as [Party];
      const change = { validatorId: 0, signer: next.wallet.address, encryptionKey: next.encryptionKey };
      for (const index of [0, 1, 2])
        await send(validator(index).account, world.consortium, "approveValidatorChange", [change]);
      assert.deepEqual(await setOf(run, round), [4n, 3n, 1n]);
      await reverts(
        world,
        send(next.account, world.proof, "attest", [run, round, word("seal")]),
        "TrainingLedgerWrongPhase",
      );
      await reverts(
        world,
        send(next.account, world.ledger, "verdict", [run, round, 0b11111n, "0x0000000000", word("x")]),
        "ConsortiumUnauthorized",
      );
    });

    it("when a validator is removed: it still counts and acts", async () => {
      const run = await openRun(world);
      const { round } = await playCommits(world, run);
      const change = { validatorId: 4, signer: ZeroAddress, encryptionKey: `0x${"00".repeat(32)}` };
      for (const index of [0, 1, 2])
        await send(validator(index).account, world.consortium, "approveValidatorChange", [change]);
      assert.deepEqual(await setOf(run, round), [4n, 3n, 1n]);
      await giveVerdict(world, run, round, validator(3), 0b11111n, 5);
    });

    it("when validators are suspended: the quorum does not shrink", async () => {
      const run = await openRun(world);
      const played = await playJudged(world, run);
      for (const id of [1, 2]) await send(world.admin, world.consortium, "setValidatorSuspended", [id, true]);
      assert.deepEqual(await setOf(run, played.round), [4n, 3n, 1n]);
      for (const index of [2, 3]) await attest(world, played, validator(index));
      await skipPhase(world, run, played.round, "attestEnd");
      await reverts(world, finalise(world, played, validator(2)), "TrainingLedgerWrongPhase", { phase: 6 });
    });

    it("when a member is suspended: the others do not wait for less than the deadline", async () => {
      const run = await openRun(world);
      const round = await openRound(world, run);
      await send(world.admin, world.consortium, "setMemberSuspended", [5, true]);
      for (const id of [1, 2, 3, 4]) await commit(world, run, round, member(id));
      const view = await read(world.ledger, "roundOf", [run, round]);
      assert.equal(view.commitEnd, view.commitDeadline);
      assert.equal(view.invited, 5n);
    });
  });

  describe("money", () => {
    it("sponsor withdrawing an escrowed pool", async () => {
      const run = await openRun(world);
      await reverts(world, send(world.admin, world.rewards, "claimRefund", [run]), "ShapleyRewardsNotSettled");
      await reverts(world, send(world.admin, world.rewards, "withdrawBond", [run, 1]), "ShapleyRewardsNoBond");
      await reverts(world, send(world.admin, world.rewards, "claim", [run]), "ShapleyRewardsUnauthorized");
      await playRound(world, run);
      await reverts(
        world,
        send(world.admin, world.rewards, "settle", [run, { remainder: 0, memberId: 0 }, { remainder: 0, memberId: 0 }]),
        "ShapleyRewardsRunNotEnded",
      );
      assert.equal(await read(world.token, "balanceOf", [world.addresses.rewards]), 1_000_003n);
    });

    it("fee-on-transfer token", async () => {
      const token = await world.connection.ethers.deployContract("FeeToken");
      await send(world.admin, token, "mint", [world.admin.address, 10_000]);
      await send(world.admin, token, "approve", [world.addresses.rewards, 10_000]);
      await reverts(
        world,
        tryOpenRun({ token: await token.getAddress(), pool: 10_000 }),
        "ShapleyRewardsTransferMismatch",
        { asked: 10_000, received: 9_900 },
      );
    });

    it("a pool that was not approved, a token that is none", async () => {
      await reverts(world, tryOpenRun({ pool: 5n }), "ERC20InsufficientAllowance");
      await reverts(world, tryOpenRun({ pool: 5n, token: world.outsider.address }), "ShapleyRewardsNoToken");
      await tryOpenRun({ pool: 0n, disputeBond: 0n, token: ZeroAddress });
    });

    it("a token that calls back during the escrow", async () => {
      const token = await world.connection.ethers.deployContract("ReentrantToken");
      const address = await token.getAddress();
      await send(world.admin, token, "mint", [world.admin.address, 10_000]);
      await send(world.admin, token, "approve", [world.addresses.rewards, 10_000]);
      const reenter = world.rewards.interface.encodeFunctionData("claimRefund", [1]);
      await send(world.admin, token, "arm", [world.addresses.rewards, reenter]);
      await reverts(world, tryOpenRun({ token: address, pool: 10_000 }), "ReentrancyGuardReentrantCall");
    });

    it("escrow and credit by anyone but the contracts", async () => {
      await reverts(
        world,
        send(world.admin, world.rewards, "escrow", [1, world.admin.address, defaultParams(world)]),
        "ShapleyRewardsUnauthorized",
      );
      await reverts(world, send(world.admin, world.rewards, "credit", [1, []]), "ShapleyRewardsUnauthorized");
    });
  });

  describe("development keys", () => {
    it("on a real chain", async () => {
      const real = await deployWorld({ chainId: 2018, members: 3, validators: 1 });
      const open = (verifier: string) =>
        send(real.admin, real.ledger, "openRun", [defaultParams(real, { pool: 0n, verifier })]);
      await reverts(real, open(real.addresses.verifier), "TrainingLedgerDevelopmentKey", { chainId: 2018 });
      const ceremony = await real.connection.ethers.deployContract("TransparentVerifier", [8, false]);
      await open(await ceremony.getAddress());
    });

    it("are taken on development chains", async () => {
      const geth = await deployWorld({ chainId: 1337, members: 3, validators: 1 });
      await send(geth.admin, geth.ledger, "openRun", [defaultParams(geth, { pool: 0n })]);
    });
  });

  describe("parameters of a run", () => {
    const refused: [string, Record<string, unknown>, string, Record<string, unknown>?][] = [
      [
        "fewer than three accepted",
        { minAccepted: 2 },
        "TrainingLedgerBadParameter",
        { name: "minAccepted", min: 3, max: 8 },
      ],
      [
        "fewer accepted than ByzFed needs",
        { ruleId: ruleIdOf({ rule: "byzfed", parameters: { filter: "tau", tau: 2, sizeWeighted: false } }) },
        "TrainingLedgerBadParameter",
        { name: "minAccepted", value: 3, min: 4 },
      ],
      [
        "fewer accepted than Bulyan needs against one Byzantine update",
        { ruleId: ruleIdOf({ rule: "bulyan", parameters: { byzantine: 1 } }), minAccepted: 6 },
        "TrainingLedgerBadParameter",
        { name: "minAccepted", value: 6, min: 7 },
      ],
      [
        "a rule that needs more than the capacity, even if as much is demanded",
        { ruleId: ruleIdOf({ rule: "bulyan", parameters: { byzantine: 2 } }), minAccepted: 11 },
        "TrainingLedgerBadParameter",
        { name: "minAccepted", min: 11, max: 8 },
      ],
      [
        "more accepted than capacity",
        { minAccepted: 4, capacity: 3 },
        "TrainingLedgerBadParameter",
        { name: "minAccepted" },
      ],
      ["a rule nobody knows", { ruleId: ruleId("sum", 1) }, "TrainingLedgerUnknownRule", { ruleId: ruleId("sum", 1) }],
      [
        "a rule of the laboratory, whose facts the chain does not hold",
        { ruleId: ruleIdOf({ rule: "fairfed", parameters: { beta: 1, metric: "loss" } }) },
        "TrainingLedgerUnknownRule",
        {},
      ],
      ["a scoring nobody knows", { scoring: 2 }, "TrainingLedgerUnsupportedScoring", { scoring: 2 }],
      ["more capacity than counters", { capacity: 33 }, "TrainingLedgerBadParameter", { name: "capacity", max: 32 }],
      [
        "more capacity than the circuit's",
        { capacity: 9 },
        "TrainingLedgerVerifierTooSmall",
        { verifierCapacity: 8, capacity: 9 },
      ],
      [
        "a verifier that is no contract",
        { verifier: "0x000000000000000000000000000000000000dEaD" },
        "TrainingLedgerNoVerifier",
      ],
      ["more accepted than members", { minAccepted: 6 }, "TrainingLedgerTooFewMembers", { active: 5, minAccepted: 6 }],
      [
        "a cohort that may well be too small",
        { cohort: 4 },
        "TrainingLedgerCohortTooRisky",
        { active: 5, cohort: 4, minAccepted: 3 },
      ],
      ["no rounds", { rounds: 0 }, "TrainingLedgerBadParameter", { name: "rounds" }],
      [
        "no opening for the closing round",
        { maxOpenings: 3 },
        "TrainingLedgerBadParameter",
        { name: "maxOpenings", min: 4 },
      ],
      [
        "a fetch time as long as judging",
        { fetchBlocks: 20 },
        "TrainingLedgerBadParameter",
        { name: "fetchBlocks", max: 19 },
      ],
      ["α above one", { alphaQ16: 65_537 }, "TrainingLedgerBadParameter", { name: "alphaQ16" }],
      ["ω above one", { omegaQ16: 65_537 }, "TrainingLedgerBadParameter", { name: "omegaQ16" }],
      ...[
        "commitBlocks",
        "judgeBlocks",
        "fetchBlocks",
        "attestBlocks",
        "viewBlocks",
        "challengeBlocks",
        "cohort",
        "capacity",
      ].map((name): [string, Record<string, unknown>, string, Record<string, unknown>] => [
        `${name} of zero`,
        { [name]: 0 },
        "TrainingLedgerBadParameter",
        { name },
      ]),
      [
        "a phase longer than its field",
        { attestBlocks: 2 ** 30 },
        "TrainingLedgerBadParameter",
        { name: "attestBlocks" },
      ],
    ];
    for (const [what, overrides, error, values] of refused) {
      it(`refuses ${what}`, async () => {
        await reverts(world, tryOpenRun({ ...overrides, pool: 0n }), error, values);
      });
    }

    for (const rule of [
      "weighted-mean",
      "coordinate-median",
      "trimmed-mean",
      "geometric-median",
      "krum",
      "multi-krum",
      "bulyan",
      "byzfed",
      "centred-clipping",
      "uniform-mean",
      "mean-of-senders",
      "fltrust",
      "fedatt",
      "fedeba",
      "fair-gradient",
      "q-fedavg",
    ]) {
      it(`takes ${rule} with exactly as many accepted as its id states`, async () => {
        await tryOpenRun({ ruleId: ruleId(rule, 5), minAccepted: 5, pool: 0n });
      });
    }
  });

  it("a rewards contract wired to strangers", async () => {
    const factory = await world.connection.ethers.getContractFactory("ShapleyRewards");
    await reverts(
      world,
      factory.deploy(world.addresses.consortium, world.addresses.ledger, world.addresses.proof),
      "ShapleyRewardsMiswired",
    );
  });

  it("nobody else can stand in for ProofOfTraining", async () => {
    const run = await openRun(world);
    const played = await playAttested(world, run);
    const rewards = await impersonate(world, world.addresses.rewards);
    await reverts(
      world,
      send(rewards, world.ledger, "recordFinalisation", [played.result, word("head")]),
      "TrainingLedgerUnauthorized",
    );
  });
});
