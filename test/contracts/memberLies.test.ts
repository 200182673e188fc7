// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { getBytes, hexlify, SigningKey, toBeHex, Wallet } from "ethers";
import { isInvited } from "../../src/protocol/beacon.ts";
import { commitmentDigest, commitSlot } from "../../src/protocol/commitment.ts";
import { reverts } from "./support/reverts.ts";
import { commit, commitmentOf, FIELD, openRound, openRun, playRound, sign, skipPhase } from "./support/round.ts";
import {
  advanceTo,
  blockNumber,
  deployWorld,
  inOneBlock,
  isolate,
  type Party,
  parties,
  read,
  send,
  type World,
  word,
} from "./support/world.ts";

const SECP256K1_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

describe("lies of members", () => {
  let world: World;
  let run: bigint;
  let round: number;
  const member = (id: number) => world.members[id - 1] as Party;
  const sendCommit = (commitment: unknown, signature: string) =>
    send(world.outsider, world.ledger, "commit", [commitment, signature]);

  before(async () => {
    world = await deployWorld();
    run = await openRun(world);
    round = await openRound(world, run);
  });
  isolate(() => world);

  it("an honest commit is recorded with all its fields", async () => {
    const { commitment, receipt } = await commit(world, run, round, member(2));
    assert.equal(await read(world.ledger, "commitOf", [run, round, 2]), commitSlot(commitment, 0));
    const [log] = receipt.logs;
    const event = world.ledger.interface.parseLog(log as NonNullable<typeof log>);
    assert.deepEqual(
      [
        event?.name,
        event?.args.memberId,
        event?.args.commitIndex,
        event?.args.artifactDigest,
        event?.args.artifactCid,
        event?.args.samples,
        event?.args.lossCommitment,
      ],
      [
        "Committed",
        2n,
        0n,
        commitment.artifactDigest,
        commitment.artifactCid,
        BigInt(commitment.samples),
        commitment.lossCommitment,
      ],
    );
    assert.equal(event?.args.signature, sign(world, member(2), commitment));
  });

  it("commit by a non-member", async () => {
    const [stranger] = (await parties(world.connection, "stranger", 1)) as [Party];
    await reverts(world, commit(world, run, round, { ...stranger, id: 6 }), "TrainingLedgerNotInvited", {
      memberId: 6,
    });
    await reverts(world, commit(world, run, round, { ...stranger, id: 0 }), "TrainingLedgerNotInvited", {
      memberId: 0,
    });
    await reverts(world, commit(world, run, round, { ...stranger, id: 4_000_000_000 }), "TrainingLedgerNotInvited");
    await reverts(world, commit(world, run, round, { ...stranger, id: 1 }), "TrainingLedgerBadSignature", {
      recovered: stranger.wallet.address,
    });
  });

  it("commit by a suspended member", async () => {
    await send(world.admin, world.consortium, "setMemberSuspended", [3, true]);
    await reverts(world, commit(world, run, round, member(3)), "TrainingLedgerMemberSuspended", { memberId: 3 });
    await send(world.admin, world.consortium, "setMemberSuspended", [3, false]);
    await commit(world, run, round, member(3));
  });

  it("commit by a member suspended when the round opened", async () => {
    const late = await openRun(world);
    await send(world.admin, world.consortium, "setMemberSuspended", [3, true]);
    const opened = await openRound(world, late);
    await send(world.admin, world.consortium, "setMemberSuspended", [3, false]);
    await reverts(world, commit(world, late, opened, member(3)), "TrainingLedgerNotInvited", { memberId: 3 });
  });

  it("commit before the round, after the deadline, and in a round that does not exist", async () => {
    const late = await openRun(world);
    const commitment = await commitmentOf(world, late, 1, member(1));
    await reverts(world, sendCommit(commitment, sign(world, member(1), commitment)), "TrainingLedgerUnknownRound", {
      run: late,
      round: 1,
    });

    const view = await read(world.ledger, "roundOf", [run, round]);
    await advanceTo(world, view.commitDeadline);
    await commit(world, run, round, member(1));
    await reverts(world, commit(world, run, round, member(2)), "TrainingLedgerWrongPhase", { phase: 2, wanted: 1 });
  });

  it("commit in the opening block", async () => {
    const late = await openRun(world);
    const commitment = await commitmentOf(world, late, 1, member(1));
    const [, second] = await inOneBlock(world, [
      () => send((world.validators[0] as Party).account, world.ledger, "openRound", [late]),
      () => sendCommit(commitment, sign(world, member(1), commitment)),
    ]);
    assert.equal(second?.status, "rejected");
    assert.equal((await read(world.ledger, "roundOf", [late, 1])).commits, 0n);
  });

  it("commit twice", async () => {
    await commit(world, run, round, member(1));
    await reverts(
      world,
      commit(world, run, round, member(1), { artifactDigest: word("another") }),
      "TrainingLedgerAlreadyCommitted",
      { memberId: 1 },
    );
  });

  it("commit beyond cohort capacity", async () => {
    const small = await openRun(world, { capacity: 3 });
    const opened = await openRound(world, small);
    for (const id of [1, 2]) await commit(world, small, opened, member(id));
    const commitments = await Promise.all([3, 4].map((id) => commitmentOf(world, small, opened, member(id))));
    const results = await inOneBlock(
      world,
      commitments.map(
        (commitment) => () => sendCommit(commitment, sign(world, member(commitment.memberId), commitment)),
      ),
    );
    assert.deepEqual(
      results.map(({ status }) => status),
      ["fulfilled", "rejected"],
    );
    // The last place ended the phase.
    await reverts(world, commit(world, small, opened, member(5)), "TrainingLedgerWrongPhase", { phase: 2 });
    assert.equal((await read(world.ledger, "roundOf", [small, opened])).commits, 3n);
  });

  it("samples 0 or above the member's maximum", async () => {
    await reverts(world, commit(world, run, round, member(1), { samples: 0 }), "TrainingLedgerBadSamples", {
      samples: 0,
      maxSamples: 1000,
    });
    await reverts(world, commit(world, run, round, member(1), { samples: 1001 }), "TrainingLedgerBadSamples", {
      samples: 1001,
    });
    await commit(world, run, round, member(1), { samples: 1000 });
  });

  it("loss commitment outside the field, and an extension", async () => {
    await reverts(
      world,
      commit(world, run, round, member(1), { lossCommitment: 0n }),
      "TrainingLedgerBadLossCommitment",
    );
    await reverts(
      world,
      commit(world, run, round, member(1), { lossCommitment: FIELD }),
      "TrainingLedgerBadLossCommitment",
      { lossCommitment: FIELD },
    );
    await reverts(world, commit(world, run, round, member(1), { extension: word("x") }), "TrainingLedgerBadExtension");
    await commit(world, run, round, member(1), { lossCommitment: FIELD - 1n });
  });

  it("every altered field breaks the signature", async () => {
    const commitment = await commitmentOf(world, run, round, member(1));
    const signature = sign(world, member(1), commitment);
    const alterations = {
      artifactDigest: word("altered"),
      artifactCid: word("altered"),
      samples: commitment.samples + 1,
      lossCommitment: commitment.lossCommitment + 1n,
      memberId: 2,
    };
    for (const [field, value] of Object.entries(alterations)) {
      await reverts(world, sendCommit({ ...commitment, [field]: value }, signature), "TrainingLedgerBadSignature");
    }
    await sendCommit(commitment, signature);
  });

  it("replayed signature of an earlier round", async () => {
    const short = await openRun(world, { commitBlocks: 6 });
    await playRound(world, short);
    const old = await commitmentOf(world, short, 1, member(1));
    const signature = sign(world, member(1), old);
    const second = await openRound(world, short);
    await reverts(world, sendCommit({ ...old, round: second }, signature), "TrainingLedgerBadSignature");
    await reverts(world, sendCommit(old, signature), "TrainingLedgerWrongPhase", { round: 1, phase: 5 });
  });

  it("wrong base model: a signature on another head than the run's", async () => {
    await reverts(
      world,
      commit(world, run, round, member(1), { head: word("another head") }),
      "TrainingLedgerBadSignature",
    );
  });

  it("cross-run signature", async () => {
    const other = await openRun(world);
    await openRound(world, other);
    const commitment = await commitmentOf(world, run, round, member(1));
    await reverts(
      world,
      sendCommit({ ...commitment, run: other }, sign(world, member(1), commitment)),
      "TrainingLedgerBadSignature",
    );
  });

  it("cross-chain signature, and one for another ledger", async () => {
    const commitment = await commitmentOf(world, run, round, member(1));
    await reverts(world, sendCommit(commitment, sign(world, member(1), commitment, 1n)), "TrainingLedgerBadSignature");
    await reverts(
      world,
      sendCommit(commitment, sign(world, member(1), commitment, world.chainId, world.addresses.proof)),
      "TrainingLedgerBadSignature",
    );
  });

  it("malleable, cut and empty signatures", async () => {
    const commitment = await commitmentOf(world, run, round, member(1));
    const { r, s, v } = new SigningKey(member(1).wallet.privateKey).sign(
      commitmentDigest(commitment, world.chainId, world.addresses.ledger),
    );
    const mirrored = `${r}${toBeHex(SECP256K1_ORDER - BigInt(s), 32).slice(2)}${toBeHex(v === 27 ? 28 : 27, 1).slice(2)}`;
    const signature = sign(world, member(1), commitment);
    for (const bad of [mirrored, hexlify(getBytes(signature).slice(0, 64)), "0x"]) {
      await reverts(world, sendCommit(commitment, bad), "TrainingLedgerBadSignature", { memberId: 1 });
    }
  });

  it("rotation in the middle of a round: the old key stays in force, the new one waits", async () => {
    const next = { ...member(1), wallet: new Wallet(word("next key")) };
    await send(member(1).account, world.consortium, "rotateMemberKeys", [next.wallet.address, next.encryptionKey]);
    await reverts(world, commit(world, run, round, next), "TrainingLedgerBadSignature", {
      expected: member(1).wallet.address,
    });
    await commit(world, run, round, member(1));
    await skipPhase(world, run, round, "judgeEnd");
    // The next opening still reads the roster of the one before the rotation; the one after that has the new key.
    const second = await openRound(world, run);
    await reverts(world, commit(world, run, second, next), "TrainingLedgerBadSignature");
    await skipPhase(world, run, second, "judgeEnd");
    const third = await openRound(world, run);
    await commit(world, run, third, next);
  });

  it("joining in the middle of a round: acts two openings later", async () => {
    const [joining] = (await parties(world.connection, "joining", 1, 6)) as [Party];
    await send(world.admin, world.consortium, "admitMember", [
      joining.wallet.address,
      joining.encryptionKey,
      1000,
      "joining",
    ]);
    const invitations: boolean[] = [];
    for (let i = 0; i < 3; i++) {
      const current = Number((await read(world.ledger, "runOf", [run])).lastRound);
      invitations.push(await read(world.ledger, "isInvited", [run, current, joining.id]));
      await skipPhase(world, run, current, "judgeEnd");
      await openRound(world, run);
    }
    assert.deepEqual(invitations, [false, false, true]);
  });

  it("a member that joins before the run opens takes part from its first round", async () => {
    const [joining] = (await parties(world.connection, "joining", 1, 6)) as [Party];
    await send(world.admin, world.consortium, "admitMember", [
      joining.wallet.address,
      joining.encryptionKey,
      1000,
      "joining",
    ]);
    const late = await openRun(world);
    const first = await openRound(world, late);
    await commit(world, late, first, joining);
  });
});

describe("commit by an uninvited member", () => {
  it("is refused, and the invitation is the beacon's", async () => {
    const world = await deployWorld({ members: 12, validators: 1 });
    const run = await openRun(world, { cohort: 8, capacity: 8, minAccepted: 3, rounds: 6, maxOpenings: 20 });
    let uninvited: Party | undefined;
    for (let attempt = 0; attempt < 8 && uninvited === undefined; attempt++) {
      const round = await openRound(world, run);
      const view = await read(world.ledger, "roundOf", [run, round]);
      if (round > 1) {
        const expected = world.members.map(({ id }) => isInvited(view.beaconBefore, id, 8, 12));
        const actual = await Promise.all(
          world.members.map(({ id }) => read(world.ledger, "isInvited", [run, round, id])),
        );
        assert.deepEqual(actual, expected);
        assert.equal(view.invited, BigInt(expected.filter(Boolean).length));
        uninvited = world.members.find((_, i) => !expected[i]);
        const invited = world.members.find((_, i) => expected[i]) as Party;
        await commit(world, run, round, invited);
        if (uninvited !== undefined)
          await reverts(world, commit(world, run, round, uninvited), "TrainingLedgerNotInvited", {
            memberId: uninvited.id,
          });
      } else {
        assert.equal(view.invited, 12n, "everyone is invited to the first round");
      }
      await skipPhase(world, run, round, "judgeEnd");
    }
    assert.ok(uninvited !== undefined, "eight draws of 8 in 12 leave somebody out");
    assert.ok((await blockNumber(world)) > 0);
  });
});
