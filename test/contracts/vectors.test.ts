// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { type BaseContract, recoverAddress } from "ethers";
import { network } from "hardhat";
import {
  attestationSeal,
  genesisHead,
  type Participant,
  participantsRoot,
  type RoundResult,
  roundHead,
  scoresDigest,
} from "../../src/protocol/attestation.ts";
import { lowerMedian, scoreCommitment } from "../../src/protocol/attestedScores.ts";
import { isInvited, nextBeacon } from "../../src/protocol/beacon.ts";
import { bitmapOf, bitsOf } from "../../src/protocol/bitmap.ts";
import { type Hex, toHex } from "../../src/protocol/bytes.ts";
import { commitmentDigest, commitSlot, type UpdateCommitment } from "../../src/protocol/commitment.ts";
import { openRun } from "./support/round.ts";
import { deployWorld, read } from "./support/world.ts";

function vectors(name: string) {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8"));
}

/** Every value of a shared vector, computed by TypeScript and by the contracts' own libraries. */
describe("shared vectors", () => {
  let harness: BaseContract;
  before(async () => {
    const { ethers } = await network.connect();
    harness = await ethers.deployContract("LibraryHarness");
  });
  const solidity = (name: string, ...args: unknown[]) => read(harness, name, args);

  for (const vector of vectors("attestation").cases) {
    it(`attestation: ${vector.name}`, async () => {
      const { chainId, proofOfTraining, validatorSetDigest, ruleId, paramsDigest } = vector;
      const numbers = ["run", "accepted", "kept", "updateNormSq"].map((field) => [field, BigInt(vector.result[field])]);
      const result: RoundResult = { ...vector.result, ...Object.fromEntries(numbers) };
      const participants: Participant[] = vector.participants.map((one: Participant) => ({
        ...one,
        lossCommitment: BigInt(one.lossCommitment),
      }));
      const domain = { chainId: BigInt(chainId), proofOfTraining };

      assert.equal(participantsRoot(participants), result.participantsRoot);
      assert.equal(
        await solidity(
          "participantsRoot",
          participants,
          participants.flatMap(({ weights }) => weights),
        ),
        result.participantsRoot,
      );
      assert.equal(scoresDigest(vector.scores), result.scoresDigest);
      assert.equal(await solidity("scoresDigest", vector.scores), result.scoresDigest);
      assert.equal(attestationSeal(result, vector.signer, domain), vector.seal);
      assert.equal(await solidity("sealAt", chainId, proofOfTraining, result, vector.signer), vector.seal);
      assert.equal(roundHead(result, { validatorSetDigest, ruleId, paramsDigest }, domain), vector.head);
      assert.equal(
        await solidity("headAt", chainId, proofOfTraining, result, validatorSetDigest, ruleId, paramsDigest),
        vector.head,
      );
      const { head, run, ...genesis } = vector.genesis;
      // The contract's genesis is compared with TypeScript in rounds.test.ts, on a real run.
      assert.equal(genesisHead({ chainId: domain.chainId, run: BigInt(run), paramsDigest, ...genesis }), head);
    });
  }

  for (const vector of vectors("commitment").cases) {
    it(`commitment: ${vector.name}`, async () => {
      const { run, lossCommitment } = vector.commitment;
      const commitment: UpdateCommitment = {
        ...vector.commitment,
        run: BigInt(run),
        lossCommitment: BigInt(lossCommitment),
      };
      const digest = commitmentDigest(commitment, BigInt(vector.chainId), vector.ledger);
      assert.equal(toHex(digest), vector.digest);
      assert.equal(commitSlot(commitment, vector.commitIndex), vector.slot);
      assert.equal(
        await solidity("commitSlot", run, commitment.round, { ...commitment, commitIndex: vector.commitIndex }),
        vector.slot,
      );
      assert.equal(recoverAddress(vector.digest, vector.signature).toLowerCase(), vector.signer);
    });
  }

  it("commitment: the ledger's EIP-712 digest is TypeScript's", async () => {
    const world = await deployWorld({ chainId: 2018, members: 3, validators: 1 });
    const ceremony = await world.connection.ethers.deployContract("TransparentVerifier", [8, false]);
    const run = await openRun(world, { verifier: await ceremony.getAddress() });
    const { head } = await read(world.ledger, "runOf", [run]);
    for (const vector of vectors("commitment").cases) {
      const commitment = { ...vector.commitment, run, head, lossCommitment: BigInt(vector.commitment.lossCommitment) };
      assert.equal(
        await read(world.ledger, "commitmentDigest", [commitment]),
        toHex(commitmentDigest(commitment, 2018n, world.addresses.ledger)),
      );
    }
  });

  for (const { name, previous, reveals, beacon } of vectors("beacon").beacons) {
    it(`beacon: ${name}`, async () => {
      assert.equal(nextBeacon(previous, reveals), beacon);
      assert.equal(await solidity("nextBeacon", previous, reveals), beacon);
    });
  }

  for (const { name, beacon, active, cohort, invited } of vectors("beacon").cohorts as {
    name: string;
    beacon: Hex;
    active: number;
    cohort: number;
    invited: number[];
  }[]) {
    it(`cohort: ${name}`, async () => {
      const ids = Array.from({ length: active }, (_, i) => i + 1);
      assert.deepEqual(
        ids.filter((id) => isInvited(beacon, id, cohort, active)),
        invited,
      );
      const all = bitmapOf(ids.map((id) => id - 1));
      const words = [0, 1, 2, 3].map((at) => (all >> BigInt(256 * at)) & ((1n << 256n) - 1n));
      const [drawn, count] = await solidity("draw", words, active, cohort, beacon);
      assert.deepEqual(
        [...drawn].flatMap((bitmap: bigint, at: number) => bitsOf(bitmap).map((bit) => 256 * at + bit + 1)),
        invited,
      );
      assert.equal(count, BigInt(invited.length));
    });
  }

  for (const vector of vectors("attestedScores").commitments) {
    it(`score commitment: ${vector.name}`, async () => {
      const { chainId, rewards, run, round, validatorIndex, salt, scores, commitment } = vector;
      const place = { chainId: BigInt(chainId), rewards, run: BigInt(run), round, validatorIndex };
      assert.equal(scoreCommitment(place, { scores, salt }), commitment);
      // The library takes the id of the chain it runs on.
      const { ethers } = await network.connect({ override: { chainId: Number(chainId) } });
      const onThatChain = await ethers.deployContract("LibraryHarness");
      const args = [rewards, run, round, validatorIndex, salt, scores];
      assert.equal(await read(onThatChain, "scoreCommitment", args), commitment);
    });
  }

  for (const { name, scores, median } of vectors("attestedScores").medians) {
    it(`lower median: ${name}`, async () => {
      assert.equal(lowerMedian(scores), median);
      const reveals = scores.map((score: number) => ({ scores: [0, score], salt: `0x${"00".repeat(32)}` }));
      assert.equal(await solidity("lowerMedian", reveals, 1), BigInt(median));
    });
  }

  it("reputation", async () => {
    for (const { reputation, alphaQ16, kept, expected } of vectors("reputation").cases) {
      assert.equal(
        await solidity("reputation", reputation, alphaQ16, kept),
        BigInt(expected),
        `${reputation} ${alphaQ16} ${kept}`,
      );
    }
  });

  for (const vector of vectors("binding").cases) {
    it(`binding: ${vector.name}`, async () => {
      const { proofOfTraining, run, round, head, reportedLoss } = vector;
      // The library takes the id of the chain it runs on.
      const { ethers } = await network.connect({ override: { chainId: Number(vector.chainId) } });
      const onThatChain = await ethers.deployContract("LibraryHarness");
      const v = [
        (BigInt(run) << 32n) | BigInt(round),
        ...vector.slots.flatMap(
          ({ lossCommitment, memberId, samples }: { lossCommitment: string; memberId: number; samples: number }) => [
            BigInt(lossCommitment),
            (BigInt(memberId) << 32n) | BigInt(samples),
          ],
        ),
      ];
      const [r, evaluation] = await read(onThatChain, "challenge", [
        proofOfTraining,
        run,
        round,
        head,
        reportedLoss,
        v,
        vector.digest,
      ]);
      assert.deepEqual([r, evaluation], [BigInt(vector.challenge), BigInt(vector.evaluation)]);
    });
  }

  for (const vector of vectors("settlement").cases) {
    it(`settlement: ${vector.name}`, async () => {
      const positive = (value: string) => (BigInt(value) > 0n ? BigInt(value) : 0n);
      const members: { id: number; contribution: bigint; participation: bigint }[] = vector.members.map(
        ({ id, contribution, participation }: { id: number; contribution: string; participation: string }) => ({
          id,
          contribution: positive(contribution),
          participation: BigInt(participation),
        }),
      );
      const sums = {
        contribution: members.reduce((sum, { contribution }) => sum + contribution, 0n),
        participation: members.reduce((sum, { participation }) => sum + participation, 0n),
      };
      if (sums.participation === 0n) return assert.equal(vector.refund, vector.pool);
      const byContribution = sums.contribution === 0n ? 0n : (BigInt(vector.pool) * BigInt(vector.omegaQ16)) >> 16n;
      const parts = { contribution: byContribution, participation: BigInt(vector.pool) - byContribution };
      const amounts = await Promise.all(
        members.map(async (member) => {
          let total = 0n;
          for (const part of ["contribution", "participation"] as const) {
            if (member[part] === 0n) continue;
            const [amount] = await solidity(
              "amountOf",
              parts[part],
              member[part],
              sums[part],
              member.id,
              vector.cutoffs[part],
            );
            total += amount;
          }
          return total;
        }),
      );
      assert.deepEqual(amounts.map(String), vector.expected);
    });
  }
});
