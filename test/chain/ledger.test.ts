// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CONSORTIUM, SHAPLEY_REWARDS } from "../../src/chain/contracts.ts";
import { LedgerRevert } from "../../src/chain/errors.ts";
import { connectLedger } from "../../src/chain/ledgerClient.ts";
import { TransactionSender } from "../../src/chain/transactionSender.ts";
import { genesisHead, type RoundResult, roundHead } from "../../src/protocol/attestation.ts";
import type { Hex } from "../../src/protocol/bytes.ts";
import type { UpdateCommitment } from "../../src/protocol/commitment.ts";
import type { Finalisation, Receipt, RunParams } from "../../src/protocol/ledger.ts";
import { paramsDigest } from "../../src/protocol/runParams.ts";
import { stateOf } from "../../src/protocol/schedule.ts";
import {
  ALL_YES,
  chainOf,
  commitmentOf,
  decide,
  type Federation,
  NO_REFUSALS,
  nextReveal,
  openRun,
  type Party,
  playCommits,
  playRound,
  proposerOf,
  sealOf,
  startFederation,
  word,
} from "./support/federation.ts";

/** Asserts a revert with this custom error and these values of it. */
async function reverts(call: Promise<unknown>, error: string, args: Record<string, unknown> = {}): Promise<void> {
  await assert.rejects(call, (thrown) => {
    assert.ok(thrown instanceof LedgerRevert, String(thrown));
    assert.equal(thrown.error, error);
    for (const [name, value] of Object.entries(args)) assert.deepEqual(thrown.args[name], value, name);
    assert.ok(thrown.message.includes(error));
    return true;
  });
}

// One story in order: each test goes on from where the one before left the chain.
describe("a run through the ledger client", () => {
  let federation: Federation;
  let run: bigint;
  let params: RunParams;
  let round: number;
  let commitments: readonly UpdateCommitment[];
  let decided: { result: RoundResult; finalisation: Finalisation };
  let member: Party;
  let validator: Party;
  const receipts = new Map<string, Receipt>();

  before(async () => {
    federation = await startFederation();
    member = federation.members[0] as Party;
    validator = federation.validators[0] as Party;
    ({ run, params } = await openRun(federation, { rounds: 2 }));
  });
  after(async () => {
    await federation.stop();
  });

  it("reads the registry", async () => {
    const { ledger } = member;
    const set = await ledger.validatorSet(await ledger.latestValidatorSetVersion());
    assert.deepEqual(
      set.validators,
      federation.validators.map(({ id, account }, index) => ({
        id,
        index,
        signer: account.address,
        encryptionKey: word(`encryption ${account.address}`),
      })),
    );
    assert.equal(await ledger.memberCount(), 4);
    assert.equal(await ledger.memberIdOf(member.account.address), 1);
    assert.equal(await ledger.memberIdOf(validator.account.address), undefined);
    assert.equal(await ledger.memberIdOf(federation.outsider.address), undefined);
    await reverts(ledger.validatorSet(7), "ConsortiumUnknownSetVersion", { latest: 1 });
  });

  it("reads the run as it was opened", async () => {
    const view = await member.ledger.runView(run);
    assert.deepEqual(view.params, params);
    assert.equal(view.paramsDigest, paramsDigest(params));
    assert.equal(
      view.head,
      genesisHead({
        chainId: 31337n,
        ledger: federation.deployment.addresses.trainingLedger,
        run,
        paramsDigest: view.paramsDigest,
        initialModelRoot: params.initialModelRoot,
        initialCheckpointCid: params.initialCheckpointCid,
      }),
    );
    assert.equal(view.sponsor, federation.admin.account);
    assert.deepEqual(
      [view.lastRound, view.headRound, view.finalisedRounds, view.ended, view.settled],
      [0, 0, 0, false, false],
    );
    assert.equal(await member.ledger.settlementPool(run), params.pool);
    await reverts(member.ledger.runView(99n), "TrainingLedgerUnknownRun", { run: 99n });
    await reverts(member.ledger.roundView(run, 1), "TrainingLedgerUnknownRound", { run, round: 1 });
  });

  it("registers a hash chain once; again is the same receipt; another end is refused", async () => {
    const end = chainOf(validator, run)[0] as Hex;
    assert.equal(await member.ledger.beaconTip(run, validator.id), end);
    assert.equal(await member.ledger.beaconTip(run, 77), undefined);
    const again = await validator.ledger.registerBeaconChain(run, end);
    assert.ok(again.gasUsed > 0n && again.block > 0);
    await reverts(validator.ledger.registerBeaconChain(run, word("another end")), "TrainingLedgerChainRegistered", {
      run,
      validatorId: 1,
    });
  });

  it("opens a round once when several try, and says that it is open afterwards", async () => {
    const opened = await Promise.all(federation.validators.slice(0, 3).map(({ ledger }) => ledger.openRound(run)));
    assert.equal(new Set(opened.map(({ transaction }) => transaction)).size, 1);
    round = (await member.ledger.runView(run)).lastRound;
    assert.equal(round, 1);
    await reverts(validator.ledger.openRound(run), "TrainingLedgerRoundOpen", { run, round: 1 });
    await reverts((await outsiderClient()).openRound(run), "TrainingLedgerUnauthorized");
  });

  it("reads the round as it was opened", async () => {
    const view = await member.ledger.roundView(run, round);
    const { facts } = view;
    assert.equal(facts.commitDeadline, facts.openedBlock + params.commitBlocks);
    assert.equal(facts.finaliseDeadline, facts.attestDeadline + 4 * params.viewBlocks);
    assert.deepEqual([facts.commitEnd, facts.judgeEnd, facts.attestEnd, facts.finalisedBlock], [0, 0, 0, 0]);
    assert.deepEqual([facts.validators, facts.minAccepted, view.invited, view.commits], [4, 3, 4, 0]);
    assert.equal(view.rosterBlock, (await member.ledger.runView(run)).openedBlock);
    assert.equal(view.head, (await member.ledger.runView(run)).head);
    assert.equal(view.beaconBefore, view.head);
    assert.deepEqual(stateOf(facts, facts.openedBlock + 1), { phase: "committing" });
    assert.equal(await member.ledger.isInvited(run, round, 1), true);
    assert.deepEqual(await member.ledger.memberInRound(run, round, 2), {
      id: 2,
      signer: federation.members[1]?.account.address,
      encryptionKey: word(`encryption ${federation.members[1]?.account.address}`),
      maxSamples: 1000,
      name: "Member 2",
    });
    assert.equal(await member.ledger.memberInRound(run, round, 5), undefined);
    assert.deepEqual(await member.ledger.auditorsAt(facts.openedBlock), []);
    assert.deepEqual(await member.ledger.commits(run, round), []);
    assert.equal(await member.ledger.finalised(run, round), undefined);
    assert.equal(await member.ledger.recordOf(run, round), undefined);
  });

  it("commits; the same again is the same receipt, another update by the member is refused", async () => {
    const made: UpdateCommitment[] = [];
    for (const { id, ledger } of federation.members) {
      const commitment = await commitmentOf(federation.members[id - 1] as Party, run, round);
      made.push(commitment);
      receipts.set(`commit ${id}`, await ledger.commit(commitment, await ledger.signCommitment(commitment)));
    }
    commitments = made;
    const [first] = commitments as [UpdateCommitment];
    assert.deepEqual(
      await member.ledger.commit(first, await member.ledger.signCommitment(first)),
      receipts.get("commit 1"),
    );
    const other = { ...first, samples: 7 };
    await assert.rejects(member.ledger.commit(other, await member.ledger.signCommitment(other)), LedgerRevert);
  });

  it("lists commits in order with what was signed, and ends the phase in the block of the last", async () => {
    const found = await member.ledger.commits(run, round);
    assert.deepEqual(
      found.map(({ commitment }) => commitment),
      commitments,
    );
    assert.deepEqual(
      found.map(({ commitIndex }) => commitIndex),
      [0, 1, 2, 3],
    );
    assert.equal(found[0]?.signature, await member.ledger.signCommitment(commitments[0] as UpdateCommitment));
    const { facts, commits } = await member.ledger.roundView(run, round);
    assert.equal(commits, 4);
    assert.equal(facts.commitEnd, receipts.get("commit 4")?.block);
    assert.deepEqual(stateOf(facts, facts.commitEnd + 1), { phase: "judging" });
  });

  it("judges; the same again is the same receipt, another verdict is refused", async () => {
    const reveals = await Promise.all(federation.validators.map((party) => nextReveal(party, run)));
    for (const [i, { ledger }] of federation.validators.entries()) {
      if (i < 3) await ledger.verdict(run, round, ALL_YES, NO_REFUSALS, reveals[i] as Hex);
    }
    const before = await validator.ledger.verdicts(run, round);
    assert.deepEqual(
      before.map(({ validatorIndex, validatorId, bitmap, reveal }) => [validatorIndex, validatorId, bitmap, reveal]),
      [
        [0, 1, ALL_YES, reveals[0]],
        [1, 2, ALL_YES, reveals[1]],
        [2, 3, ALL_YES, reveals[2]],
      ],
    );
    const again = await validator.ledger.verdict(run, round, ALL_YES, NO_REFUSALS, reveals[0] as Hex);
    assert.equal(again.block, before[0]?.block);
    await reverts(
      validator.ledger.verdict(run, round, 0b1110n, Uint8Array.of(3, 0, 0, 0), reveals[0] as Hex),
      "TrainingLedgerVerdictGiven",
    );
    const last = federation.validators[3] as Party;
    await reverts(
      last.ledger.verdict(run, round, ALL_YES, NO_REFUSALS, word("not the preimage")),
      "TrainingLedgerWrongReveal",
      { validatorId: 4 },
    );
    await last.ledger.verdict(run, round, 0b0111n, Uint8Array.of(0, 0, 0, 2), reveals[3] as Hex);
    assert.deepEqual((await validator.ledger.verdicts(run, round))[3]?.codes, Uint8Array.of(0, 0, 0, 2));
    const { facts, verdictBitmap } = await validator.ledger.roundView(run, round);
    assert.equal(verdictBitmap, ALL_YES);
    assert.deepEqual([facts.verdicts, facts.accepted], [4, 4]);
    assert.ok(facts.judgeEnd > 0 && facts.judgeEnd < facts.judgeDeadline);
  });

  it("attests; the same again is the same receipt, another seal is refused", async () => {
    decided = await decide(federation, run, round, commitments);
    const [first, ...others] = federation.validators as [Party, ...Party[]];
    const receipt = await first.ledger.attest(run, round, sealOf(decided.result, first));
    assert.deepEqual(await first.ledger.attest(run, round, sealOf(decided.result, first)), receipt);
    await reverts(first.ledger.attest(run, round, word("another seal")), "TrainingLedgerAlreadyAttested", {
      validatorId: 1,
    });
    await Promise.all(others.map((party) => party.ledger.attest(run, round, sealOf(decided.result, party))));
    const attestations = await first.ledger.attestations(run, round);
    assert.deepEqual(
      new Map(attestations.map(({ validatorIndex, seal }) => [validatorIndex, seal])),
      new Map(federation.validators.map((party, index) => [index, sealOf(decided.result, party)])),
    );
    assert.equal((await first.ledger.roundView(run, round)).attestedBitmap, ALL_YES);
  });

  it("names the contract's reason when finalising is refused", async () => {
    const stranger = federation.validators[(round + 2) % 4] as Party;
    await reverts(stranger.ledger.finalise(run, round, decided.finalisation), "ProofOfTrainingNotInView", {
      account: stranger.account.address,
    });
    const proposer = proposerOf(federation, round);
    const wrongRoot = { ...decided.finalisation, modelRoot: word("another model") };
    await reverts(proposer.ledger.finalise(run, round, wrongRoot), "ProofOfTrainingNoQuorum", {
      agreeing: 0n,
      quorum: 3n,
    });
  });

  it("finalises; everybody's later attempt is the same receipt", async () => {
    const proposer = proposerOf(federation, round);
    const receipt = await proposer.ledger.finalise(run, round, decided.finalisation);
    assert.deepEqual(await proposer.ledger.finalise(run, round, decided.finalisation), receipt);
    assert.deepEqual(await validator.ledger.finalise(run, round, decided.finalisation), receipt);
    const record = await validator.ledger.finalised(run, round);
    assert.ok(record !== undefined);
    assert.deepEqual(record.result, decided.result);
    assert.deepEqual(record.finalisation, decided.finalisation);
    assert.equal(record.agreeing, ALL_YES);
    assert.equal(record.proposer, proposer.account.address);
    assert.equal(record.transaction, receipt.transaction);
    const set = await validator.ledger.validatorSet(1);
    const binding = { validatorSetDigest: set.digest, ruleId: params.ruleId, paramsDigest: paramsDigest(params) };
    const domain = { chainId: 31337n, proofOfTraining: federation.deployment.addresses.proofOfTraining };
    assert.equal(record.head, roundHead(decided.result, binding, domain));
    assert.deepEqual(await validator.ledger.recordOf(run, round), {
      head: record.head,
      modelRoot: decided.result.modelRoot,
      checkpointCid: decided.result.checkpointCid,
      finalisedBlock: receipt.block,
    });
    assert.equal((await validator.ledger.runView(run)).head, record.head);
    assert.equal((await validator.ledger.roundView(run, round)).facts.finalisedBlock, receipt.block);
  });

  it("accounts for members; voided scores are listed", async () => {
    const standing = await member.ledger.standingOf(run, 2);
    assert.deepEqual(standing, {
      memberId: 2,
      reputationQ16: 65_536,
      contribution: 2000n,
      participation: 1,
      reward: 0n,
      claimed: false,
    });
    assert.deepEqual(await member.ledger.voidedRounds(run), []);
    const rewards = async (privateKey: Hex, functionName: string, ...args: unknown[]) =>
      await new TransactionSender(federation.endpoint, privateKey).call({
        codec: SHAPLEY_REWARDS,
        to: federation.deployment.addresses.shapleyRewards,
        functionName,
        args,
      });
    // A second round, whose scores the validators void.
    const second = await playRound(federation, run);
    await rewards(member.account.privateKey, "dispute", run, second.round);
    await Promise.all(
      federation.validators
        .slice(0, 3)
        .map(({ account }) => rewards(account.privateKey, "voteToVoid", run, second.round)),
    );
    const { committed, scores } = second.finalisation;
    await rewards(member.account.privateKey, "voidScores", second.result, committed, scores);
    assert.deepEqual(await member.ledger.voidedRounds(run), [second.round]);
    assert.deepEqual((await member.ledger.standingOf(run, 2)).contribution, 2000n);
  });

  it("closes, settles and pays once", async () => {
    const closing = await playRound(federation, run);
    const { closing: isClosing } = await member.ledger.roundView(run, closing.round);
    assert.equal(isClosing, true);
    const view = await member.ledger.runView(run);
    assert.deepEqual([view.ended, view.settled, view.finalisedRounds], [true, false, 2]);
    assert.equal(await member.ledger.settlement(run), undefined);
    const end = await member.ledger.settlementBlock(run);
    await skipTo(end);

    // Contributions 1000, 2000, 3000, 4000 and one round each: worked by hand in units of the token.
    const pool = 1_000_003n;
    const byContribution = (pool * 45_875n) / 65_536n;
    const byParticipation = pool - byContribution;
    const split = (part: bigint, shares: readonly bigint[]) => {
      const sum = shares.reduce((a, b) => a + b);
      const rows = shares.map((share, i) => ({
        memberId: i + 1,
        floor: (part * share) / sum,
        remainder: (part * share) % sum,
      }));
      const missing = Number(part - rows.reduce((a, { floor }) => a + floor, 0n));
      const order = [...rows].sort((a, b) => Number(b.remainder - a.remainder) || a.memberId - b.memberId);
      const last = order[missing - 1];
      const rewards = rows.map((row) => row.floor + (order.indexOf(row) < missing ? 1n : 0n));
      return {
        rewards,
        cutOff:
          last === undefined ? { remainder: sum, memberId: 0 } : { remainder: last.remainder, memberId: last.memberId },
      };
    };
    const contribution = split(
      byContribution,
      [1n, 2n, 3n, 4n].map((share) => 1000n * share),
    );
    const participation = split(byParticipation, [1n, 1n, 1n, 1n]);
    await reverts(
      member.ledger.settle(run, { remainder: 0n, memberId: 4 }, participation.cutOff),
      "ShapleyRewardsBadCutOff",
    );
    const receipt = await member.ledger.settle(run, contribution.cutOff, participation.cutOff);
    assert.deepEqual(await validator.ledger.settle(run, contribution.cutOff, participation.cutOff), receipt);

    const settlement = await member.ledger.settlement(run);
    const expected = [0, 1, 2, 3].map((i) => ({
      memberId: i + 1,
      amount: (contribution.rewards[i] as bigint) + (participation.rewards[i] as bigint),
    }));
    assert.deepEqual(settlement, { pool, refund: 0n, rewards: expected, block: receipt.block });
    assert.equal((await member.ledger.runView(run)).settled, true);

    const claimed = await member.ledger.claim(run);
    assert.deepEqual(await member.ledger.claim(run), claimed);
    assert.equal(
      (await federation.admin.tokenState(params.token, member.account.address)).balance,
      expected[0]?.amount,
    );
    assert.equal((await member.ledger.standingOf(run, 1)).claimed, true);
    await reverts(validator.ledger.claim(run), "ShapleyRewardsUnauthorized");
    await reverts(validator.ledger.openRound(run), "TrainingLedgerRunEnded", { run });
  });

  it("lets a commitment signed by somebody else's key fail by name", async () => {
    const { run: next } = await openRun(federation);
    await validator.ledger.openRound(next);
    const commitment = await commitmentOf(member, next, 1);
    const signature = await (federation.members[1] as Party).ledger.signCommitment(commitment);
    await reverts(member.ledger.commit(commitment, signature), "TrainingLedgerBadSignature", {
      memberId: 1,
      expected: member.account.address,
    });
  });

  it("reads members as of the roster block, whatever they are now", async () => {
    const { run: next } = await openRun(federation);
    await playCommits(federation, next);
    const last = federation.members[3] as Party;
    const sender = new TransactionSender(federation.endpoint, last.account.privateKey);
    const { consortium } = federation.deployment.addresses;
    await sender.call({
      codec: CONSORTIUM,
      to: consortium,
      functionName: "rotateMemberKeys",
      args: [last.account.address, word("new key")],
    });
    const inRound = await last.ledger.memberInRound(next, 1, 4);
    assert.equal(inRound?.encryptionKey, word(`encryption ${last.account.address}`));
  });

  /** Makes empty blocks at once, where waiting for them would take seconds. */
  async function skipTo(block: number): Promise<void> {
    const missing = block - (await federation.endpoint.blockNumber());
    if (missing > 0) await federation.endpoint.rpc.request("hardhat_mine", [`0x${missing.toString(16)}`]);
  }

  async function outsiderClient() {
    return await connectLedger({
      endpoint: federation.endpoint,
      addresses: federation.deployment.addresses,
      privateKey: federation.outsider.privateKey,
    });
  }
});
