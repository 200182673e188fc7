// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { BaseContract } from "ethers";
import fc from "fast-check";
import { network } from "hardhat";
import { participantsRoot } from "../../src/protocol/attestation.ts";
import { isInvited } from "../../src/protocol/beacon.ts";
import { bitsOf } from "../../src/protocol/bitmap.ts";
import { type Hex, toHex } from "../../src/protocol/bytes.ts";
import { acceptanceThreshold, quorum } from "../../src/protocol/quorum.ts";
import { acceptedBitmap } from "../../src/protocol/schedule.ts";
import { FIELD, lossChallenge } from "./support/round.ts";
import { read, word } from "./support/world.ts";

const SEED = { seed: 20_240_601 };
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes): Hex => toHex(bytes));

/** P(Bin(n, k/n) < least) as an exact fraction over n^n. */
function exactTail(n: number, k: number, least: number): { numerator: bigint; denominator: bigint } {
  let choose = 1n;
  let numerator = 0n;
  for (let i = 0; i < least; i++) {
    numerator += choose * BigInt(k) ** BigInt(i) * BigInt(n - k) ** BigInt(n - i);
    choose = (choose * BigInt(n - i)) / BigInt(i + 1);
  }
  return { numerator, denominator: BigInt(n) ** BigInt(n) };
}

describe("libraries", () => {
  let harness: BaseContract;
  let capture: (calls: readonly (readonly [string, readonly unknown[]])[]) => Promise<unknown[]>;

  before(async () => {
    const { ethers } = await network.connect();
    harness = await ethers.deployContract("LibraryHarness");
    capture = (calls) => Promise.all(calls.map(([name, args]) => read(harness, name, args)));
  });

  it("quorum and faults of every n", async () => {
    for (let n = 1; n <= 32; n++) {
      const [f, q] = await capture([
        ["faults", [n]],
        ["quorum", [n]],
      ]);
      assert.deepEqual([f, q], [BigInt(acceptanceThreshold(n) - 1), BigInt(quorum(n))], `n = ${n}`);
      assert.equal(q, BigInt(n) - (f as bigint));
    }
  });

  it("bit counts", async () => {
    const edges = [0n, 1n, (1n << 256n) - 1n, 1n << 255n, (1n << 256n) - 2n, (1n << 128n) - 1n];
    const random = fc.sample(fc.bigInt(0n, (1n << 256n) - 1n), { ...SEED, numRuns: 20 });
    for (const bitmap of [...edges, ...random])
      assert.equal(await read(harness, "countBits", [bitmap]), BigInt(bitsOf(bitmap).length));
  });

  it("vertical counters agree with counting one by one", async () => {
    const verdicts = fc.array(fc.bigInt(0n, (1n << 32n) - 1n), { minLength: 0, maxLength: 32 });
    await fc.assert(
      fc.asyncProperty(verdicts, async (bitmaps) => {
        // acceptedBitmap takes n; its threshold f+1 is what atLeast takes.
        const threshold = acceptanceThreshold(32);
        assert.equal(await read(harness, "atLeast", [bitmaps, threshold]), acceptedBitmap(bitmaps, 32, 32));
      }),
      { ...SEED, numRuns: 25 },
    );
  });

  it("vertical counters compare with every threshold", async () => {
    // Lane i gets i + 1 yes.
    const bitmaps = Array.from({ length: 32 }, (_, verdict) => ((1n << 32n) - 1n) ^ ((1n << BigInt(verdict)) - 1n));
    for (let threshold = 1; threshold <= 32; threshold++) {
      const expected = ((1n << 32n) - 1n) ^ ((1n << BigInt(threshold - 1)) - 1n);
      assert.equal(await read(harness, "atLeast", [bitmaps, threshold]), expected, `threshold ${threshold}`);
    }
  });

  describe("cohort risk", () => {
    const cases: [number, number, number][] = [
      [5, 4, 3],
      [12, 8, 3],
      [20, 10, 4],
      [100, 20, 8],
      [1024, 64, 32],
      [1024, 1000, 32],
      [1024, 1, 1],
      [1024, 20, 8],
      [33, 32, 32],
      [130, 129, 32],
      [2, 1, 2],
      [3, 1, 3],
    ];
    for (const [n, k, least] of cases) {
      it(`bounds P(Bin(${n}, ${k}/${n}) < ${least}) from above, closely`, async () => {
        const bound: bigint = await read(harness, "tailE18", [n, k, least]);
        const { numerator, denominator } = exactTail(n, k, least);
        const exact = (numerator * 10n ** 18n) / denominator;
        assert.ok(bound >= exact, `${bound} is below ${exact}`);
        assert.ok(bound - exact <= 2n, `${bound} is far above ${exact}`);
      });
    }

    it("is certain when there are fewer members than needed", async () => {
      assert.equal(await read(harness, "tailE18", [4, 2, 5]), 10n ** 18n);
    });
  });

  it("cohorts are drawn as in TypeScript", async () => {
    const draws = fc.tuple(digest, fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 330 }));
    await fc.assert(
      fc.asyncProperty(draws, async ([beacon, active, cohort]) => {
        // Members with odd ids are active, so words are crossed and gaps exist.
        const ids = Array.from({ length: active }, (_, i) => 2 * i + 1);
        const words = [0n, 0n, 0n, 0n];
        for (const id of ids) words[(id - 1) >> 8] = (words[(id - 1) >> 8] as bigint) | (1n << BigInt((id - 1) & 255));
        const [invited, count] = await read(harness, "draw", [words, active, cohort, beacon]);
        const expected = ids.filter((id) => isInvited(beacon, id, cohort, active));
        const actual = [...invited].flatMap((bitmap: bigint, at: number) =>
          bitsOf(bitmap).map((bit) => at * 256 + bit + 1),
        );
        assert.deepEqual(actual, expected);
        assert.equal(count, BigInt(expected.length));
      }),
      { ...SEED, numRuns: 15 },
    );
  });

  it("participant trees of every size have RFC 6962's root", async () => {
    for (let count = 0; count <= 33; count++) {
      const groups = 1 + (count % 3);
      const updates = Array.from({ length: count }, (_, i) => ({
        memberId: 3 * i + 1,
        commitIndex: (7 * i) % 32,
        artifactDigest: word(`digest ${i}`),
        artifactCid: word(`cid ${i}`),
        samples: 4_294_967_295 - i,
        lossCommitment: BigInt(word(`loss ${i}`)) % FIELD,
        weights: Array.from({ length: groups }, (_unused, g) => (65_536 >> (i % 17)) - (g === 0 ? 0 : 1)),
      }));
      const root = await read(harness, "participantsRoot", [updates, updates.flatMap(({ weights }) => weights)]);
      assert.equal(root, participantsRoot(updates), `${count} updates, ${groups} groups`);
    }
  });

  it("the binding challenge is Horner's sum at the keccak point", async () => {
    const vectors = fc.array(fc.bigInt(0n, FIELD - 1n), { minLength: 1, maxLength: 65 });
    await fc.assert(
      fc.asyncProperty(vectors, fc.bigInt(0n, FIELD - 1n), async (v, bindingDigest) => {
        const proofOfTraining = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
        const place = { run: 3n, round: 7, head: word("head"), reportedLoss: 123_456 };
        const [r, evaluation] = await read(harness, "challenge", [
          proofOfTraining,
          place.run,
          place.round,
          place.head,
          place.reportedLoss,
          v,
          bindingDigest,
        ]);
        assert.deepEqual({ r, evaluation }, lossChallenge(31_337n, proofOfTraining, place, v, bindingDigest));
      }),
      { ...SEED, numRuns: 10 },
    );
  });
});
