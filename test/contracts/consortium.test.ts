// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { AbiCoder, keccak256, ZeroAddress, ZeroHash } from "ethers";
import { toHex } from "../../src/protocol/bytes.ts";
import { tag } from "../../src/protocol/hash.ts";
import { reverts } from "./support/reverts.ts";
import {
  blockNumber,
  deployWorld,
  isolate,
  type Party,
  parties,
  read,
  send,
  type World,
  word,
} from "./support/world.ts";

const MEMBER = 1n;
const VALIDATOR = 2n;

describe("Consortium", () => {
  let world: World;
  let fresh: Party[];
  const member = (id: number) => world.members[id - 1] as Party;
  const validator = (id: number) => world.validators[id - 1] as Party;
  const addition = (party: Party) => ({
    validatorId: 0,
    signer: party.wallet.address,
    encryptionKey: party.encryptionKey,
  });
  const removal = (validatorId: number) => ({ validatorId, signer: ZeroAddress, encryptionKey: ZeroHash });
  const approve = (by: Party, change: unknown) =>
    send(by.account, world.consortium, "approveValidatorChange", [change]);
  const admin = (name: string, ...args: unknown[]) => send(world.admin, world.consortium, name, args);
  const setVersion = (): Promise<bigint> => read(world.consortium, "validatorSetVersion");

  before(async () => {
    world = await deployWorld();
    fresh = await parties(world.connection, "fresh", 3);
  });
  isolate(() => world);

  describe("members", () => {
    it("gives permanent ids and keeps names and keys", async () => {
      const record = await read(world.consortium, "memberOf", [2]);
      assert.equal(record.signer, member(2).wallet.address);
      assert.equal(record.encryptionKey, member(2).encryptionKey);
      assert.equal(record.active, true);
      assert.equal(await read(world.consortium, "memberName", [2]), "member 2");
      assert.equal(await read(world.consortium, "memberCount"), 5n);
    });

    it("reads a rotated key only from the block after it", async () => {
      const [next] = fresh as [Party];
      await send(member(1).account, world.consortium, "rotateMemberKeys", [next.wallet.address, next.encryptionKey]);
      const block = await blockNumber(world);
      const signerBefore = async (limit: number) => (await read(world.consortium, "memberBefore", [1, limit])).signer;
      assert.equal(await signerBefore(block), member(1).wallet.address);
      assert.equal(await signerBefore(block + 1), next.wallet.address);
    });

    it("finds every version of a record that changed often", async () => {
      const blocks: number[] = [];
      for (let samples = 1; samples <= 9; samples++) {
        await admin("setMaxSamples", 3, samples);
        blocks.push(await blockNumber(world));
      }
      for (const [i, block] of blocks.entries()) {
        assert.equal((await read(world.consortium, "memberBefore", [3, block + 1])).maxSamples, BigInt(i + 1));
        assert.equal((await read(world.consortium, "memberBefore", [3, block])).maxSamples, BigInt(i === 0 ? 1000 : i));
      }
    });

    it("has no record before a member was admitted", async () => {
      const record = await read(world.consortium, "memberBefore", [1, 1]);
      assert.equal(record.signer, ZeroAddress);
      assert.equal(record.active, false);
    });

    it("counts active members as of a block and leaves out suspended ones now", async () => {
      const atStart = (await blockNumber(world)) + 1;
      await send(member(2).account, world.consortium, "resign");
      await admin("setMemberSuspended", 4, true);
      const later = (await blockNumber(world)) + 1;
      const [countThen, bitmapThen] = await read(world.consortium, "activeMembersBefore", [atStart]);
      const [countNow, bitmapNow] = await read(world.consortium, "activeMembersBefore", [later]);
      assert.deepEqual([countThen, bitmapThen[0]], [4n, 0b10111n]);
      assert.deepEqual([countNow, bitmapNow[0]], [3n, 0b10101n]);
    });

    it("refuses a member's change by anyone but the admin", async () => {
      await reverts(
        world,
        send(member(1).account, world.consortium, "setMaxSamples", [1, 9]),
        "OwnableUnauthorizedAccount",
      );
      await reverts(world, send(world.outsider, world.consortium, "removeMember", [1]), "OwnableUnauthorizedAccount");
    });

    it("refuses unknown and former members", async () => {
      await reverts(world, admin("removeMember", 9), "ConsortiumUnknownMember", { memberId: 9 });
      await admin("removeMember", 2);
      await reverts(world, admin("setMaxSamples", 2, 5), "ConsortiumInactiveMember", { memberId: 2 });
      await reverts(world, send(member(2).account, world.consortium, "resign"), "ConsortiumUnauthorized");
    });

    it("refuses samples, signers and keys of zero", async () => {
      const [next] = fresh as [Party];
      await reverts(
        world,
        admin("admitMember", next.wallet.address, next.encryptionKey, 0, ""),
        "ConsortiumZeroMaxSamples",
      );
      await reverts(world, admin("admitMember", ZeroAddress, next.encryptionKey, 1, ""), "ConsortiumZeroSigner");
      await reverts(world, admin("admitMember", next.wallet.address, ZeroHash, 1, ""), "ConsortiumZeroEncryptionKey");
    });

    it("never gives a signer to a second identity", async () => {
      const [next] = fresh as [Party];
      await send(member(1).account, world.consortium, "rotateMemberKeys", [next.wallet.address, next.encryptionKey]);
      for (const signer of [member(1), member(2), validator(1), next]) {
        await reverts(world, admin("admitMember", signer.wallet.address, word("key"), 1, ""), "ConsortiumSignerTaken");
      }
      await reverts(
        world,
        send(member(2).account, world.consortium, "rotateMemberKeys", [member(1).wallet.address, word("key")]),
        "ConsortiumSignerTaken",
      );
    });
  });

  describe("participants", () => {
    const roleOf = (party: Party) => read(world.consortium, "participantOf", [party.wallet.address]);

    it("knows current signers only", async () => {
      const [next] = fresh as [Party];
      assert.deepEqual([...(await roleOf(member(3)))], [MEMBER, 3n]);
      assert.deepEqual([...(await roleOf(validator(2)))], [VALIDATOR, 2n]);
      await send(validator(2).account, world.consortium, "rotateValidatorKeys", [
        next.wallet.address,
        next.encryptionKey,
      ]);
      assert.deepEqual([...(await roleOf(validator(2)))], [0n, 0n]);
      assert.deepEqual([...(await roleOf(next))], [VALIDATOR, 2n]);
    });

    it("a suspended key can do nothing", async () => {
      await admin("setMemberSuspended", 1, true);
      await admin("setValidatorSuspended", 1, true);
      assert.deepEqual([...(await roleOf(member(1)))], [0n, 0n]);
      assert.deepEqual([...(await roleOf(validator(1)))], [0n, 0n]);
      const calls: [Party, string, unknown[]][] = [
        [member(1), "rotateMemberKeys", [member(1).wallet.address, word("key")]],
        [member(1), "resign", []],
        [validator(1), "rotateValidatorKeys", [validator(1).wallet.address, word("key")]],
        [validator(1), "approveValidatorChange", [removal(2)]],
      ];
      for (const [by, name, args] of calls)
        await reverts(world, send(by.account, world.consortium, name, args), "ConsortiumUnauthorized");
      await reverts(world, read(world.consortium, "seatOf", [1, validator(1).wallet.address]), "ConsortiumSuspended", {
        role: VALIDATOR,
        id: 1,
      });
    });

    it("lets a member that left still take what it is owed", async () => {
      await send(member(1).account, world.consortium, "resign");
      assert.deepEqual([...(await roleOf(member(1)))], [0n, 0n]);
      assert.deepEqual([...(await read(world.consortium, "holderOf", [member(1).wallet.address]))], [MEMBER, 1n]);
    });
  });

  describe("auditors", () => {
    it("are those active before a block, in ascending id", async () => {
      const [first, second] = fresh as [Party, Party];
      const keysBefore = async (block: number) => [...(await read(world.consortium, "auditorsBefore", [block]))[0]];
      await admin("admitAuditor", first.wallet.address, first.encryptionKey);
      await admin("admitAuditor", second.wallet.address, second.encryptionKey);
      const both = await blockNumber(world);
      await admin("setAuditorSuspended", 1, true);
      const one = await blockNumber(world);
      await admin("removeAuditor", 2);
      const none = await blockNumber(world);
      assert.deepEqual(await keysBefore(both), [1n]);
      assert.deepEqual(await keysBefore(both + 1), [1n, 2n]);
      assert.deepEqual(await keysBefore(one + 1), [2n]);
      assert.deepEqual(await keysBefore(none + 1), []);
    });

    it("rotate their own keys", async () => {
      const [first, second] = fresh as [Party, Party];
      await admin("admitAuditor", first.wallet.address, first.encryptionKey);
      await send(first.account, world.consortium, "rotateAuditorKeys", [second.wallet.address, second.encryptionKey]);
      assert.equal((await read(world.consortium, "auditorOf", [1])).encryptionKey, second.encryptionKey);
      await reverts(
        world,
        send(first.account, world.consortium, "rotateAuditorKeys", [first.wallet.address, word("key")]),
        "ConsortiumUnauthorized",
      );
    });
  });

  describe("validator set", () => {
    it("commits to ids, signers and keys", async () => {
      const expected = keccak256(
        AbiCoder.defaultAbiCoder().encode(
          ["bytes32", "uint256", "address", "uint16", "uint16[]", "address[]", "bytes32[]"],
          [
            toHex(tag("validatorSet")),
            world.chainId,
            world.addresses.consortium,
            1,
            world.validators.map(({ id }) => id),
            world.validators.map(({ wallet }) => wallet.address),
            world.validators.map(({ encryptionKey }) => encryptionKey),
          ],
        ),
      );
      assert.equal(await read(world.consortium, "validatorSetDigest", [1]), expected);
    });

    it("takes a validator in with the q-th approval", async () => {
      const [next] = fresh as [Party];
      for (const by of [1, 2]) {
        await approve(validator(by), addition(next));
        assert.equal(await setVersion(), 1n);
      }
      await approve(validator(3), addition(next));
      assert.equal(await setVersion(), 2n);
      const set = await read(world.consortium, "validatorSet", [2]);
      assert.deepEqual(
        set.map(({ id }: { id: bigint }) => id),
        [1n, 2n, 3n, 4n, 5n],
      );
      assert.equal(set[4].signer, next.wallet.address);
      // The version before is as it was.
      assert.equal((await read(world.consortium, "validatorSet", [1])).length, 4);
    });

    it("removes a validator, and its id is not used again", async () => {
      const [next] = fresh as [Party];
      for (const by of [1, 2, 3]) await approve(validator(by), removal(4));
      assert.deepEqual([...(await read(world.consortium, "validatorIds", [2]))], [1n, 2n, 3n]);
      assert.deepEqual([...(await read(world.consortium, "participantOf", [validator(4).wallet.address]))], [0n, 0n]);
      for (const by of [1, 2, 3]) await approve(validator(by), addition(next));
      assert.deepEqual([...(await read(world.consortium, "validatorIds", [3]))], [1n, 2n, 3n, 5n]);
    });

    it("admin adding validators alone", async () => {
      const [next] = fresh as [Party];
      await reverts(
        world,
        send(world.admin, world.consortium, "approveValidatorChange", [addition(next)]),
        "ConsortiumUnauthorized",
      );
      const names = world.consortium.interface.fragments.flatMap((fragment) =>
        "name" in fragment ? [String(fragment.name)] : [],
      );
      assert.equal(
        names.some((name) => /^(add|admit)Validator/.test(name)),
        false,
        "there is no other way to a validator's seat",
      );
    });

    it("refuses an approval given twice, by a member and by a removed validator", async () => {
      const [next] = fresh as [Party];
      await approve(validator(1), addition(next));
      await reverts(world, approve(validator(1), addition(next)), "ConsortiumAlreadyApproved", { validatorId: 1 });
      await reverts(world, approve(member(1), addition(next)), "ConsortiumUnauthorized");
      for (const by of [1, 2, 3]) await approve(validator(by), removal(4));
      await reverts(world, approve(validator(4), addition(next)), "ConsortiumUnauthorized");
    });

    it("lets approvals lapse when the composition changes, and not when a key does", async () => {
      const [next, other, rotated] = fresh as [Party, Party, Party];
      await approve(validator(1), addition(next));
      await send(validator(2).account, world.consortium, "rotateValidatorKeys", [
        rotated.wallet.address,
        rotated.encryptionKey,
      ]);
      assert.equal(await read(world.consortium, "approvalsOf", [addition(next)]), 0b1n);
      await approve(rotated, addition(next));
      for (const by of [validator(1), validator(3), validator(4)]) await approve(by, addition(other));
      assert.equal(await read(world.consortium, "approvalsOf", [addition(next)]), 0n);
    });

    it("does not count approvals of validators suspended meanwhile", async () => {
      const [next] = fresh as [Party];
      await approve(validator(1), addition(next));
      await admin("setValidatorSuspended", 1, true);
      await approve(validator(2), addition(next));
      await approve(validator(3), addition(next));
      assert.equal(await setVersion(), 1n);
      await approve(validator(4), addition(next));
      assert.equal(await setVersion(), 2n);
    });

    it("refuses changes that cannot be made", async () => {
      await reverts(world, approve(validator(1), removal(9)), "ConsortiumValidatorNotInSet", { validatorId: 9 });
      await reverts(
        world,
        approve(validator(1), { ...removal(2), signer: member(1).wallet.address }),
        "ConsortiumMalformedChange",
      );
      await reverts(world, approve(validator(1), addition(member(1))), "ConsortiumSignerTaken");
      await reverts(world, approve(validator(1), removal(0)), "ConsortiumZeroSigner");
    });

    it("keeps the last validator", async () => {
      const single = await deployWorld({ validators: 1, members: 0 });
      const [only] = single.validators as [Party];
      await reverts(
        single,
        send(only.account, single.consortium, "approveValidatorChange", [removal(1)]),
        "ConsortiumNoValidators",
      );
    });

    it("rotation keeps the seat and leaves older sets alone", async () => {
      const [next] = fresh as [Party];
      await send(validator(3).account, world.consortium, "rotateValidatorKeys", [
        next.wallet.address,
        next.encryptionKey,
      ]);
      assert.deepEqual([...(await read(world.consortium, "seatOf", [2, next.wallet.address]))], [2n, 3n]);
      assert.deepEqual([...(await read(world.consortium, "seatOf", [1, validator(3).wallet.address]))], [2n, 3n]);
      await reverts(
        world,
        read(world.consortium, "seatOf", [2, validator(3).wallet.address]),
        "ConsortiumUnauthorized",
      );
      const [old, now] = await Promise.all([1, 2].map((version) => read(world.consortium, "validatorSet", [version])));
      assert.equal(old[2].encryptionKey, validator(3).encryptionKey);
      assert.equal(now[2].encryptionKey, next.encryptionKey);
    });

    it("refuses set versions that do not exist", async () => {
      await reverts(world, read(world.consortium, "validatorSet", [0]), "ConsortiumUnknownSetVersion");
      await reverts(world, read(world.consortium, "validatorSetDigest", [2]), "ConsortiumUnknownSetVersion", {
        setVersion: 2,
        latest: 1,
      });
    });
  });
});
