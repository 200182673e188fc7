// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { FinalisedRecord } from "../../src/protocol/ledger.ts";
import { REPUTATION_ONE } from "../../src/protocol/reputation.ts";
import { ROUNDS_AT_ONCE, reputationsBefore } from "../../src/round/reputationsBefore.ts";
import { type Federation, openRun, type Party, playRound, startFederation } from "../chain/support/federation.ts";

const record = (kept: bigint, memberIds: readonly number[]): FinalisedRecord =>
  ({
    result: { kept },
    finalisation: { committed: memberIds.map((memberId, commitIndex) => ({ memberId, commitIndex })) },
  }) as unknown as FinalisedRecord;

/** Round 1 keeps members 4 and 9 and not 7, round 2 fails, round 3 keeps 7 alone, round 4 nobody. */
const RECORDS: Readonly<Record<number, FinalisedRecord>> = {
  1: record(0b101n, [4, 7, 9]),
  3: record(0b10n, [4, 7]),
  4: record(0n, [4, 7, 9]),
};
const ledger = { finalised: async (_: bigint, round: number) => RECORDS[round] };

it("are those of the records before the round, and 1 for who is new", async () => {
  const before = (round: number) => reputationsBefore(ledger, { run: 1n, round, alphaQ16: 32_768 }, [4, 7, 9, 12]);
  assert.deepEqual(await before(1), [65_536, 65_536, 65_536, 65_536]);
  assert.deepEqual(await before(2), [65_536, 32_768, 65_536, 65_536]);
  assert.deepEqual(await before(3), await before(2));
  assert.deepEqual(await before(4), [32_768, 49_152, 65_536, 65_536]);
});

/** A round more than two full batches, so that the last one asks about one round alone. */
const LATE = 2 * ROUNDS_AT_ONCE + 2;

/** Answers a batch only when nothing more is asked, the latest round first. */
function answeringBackwards(recordOf: (round: number) => FinalisedRecord) {
  const asked: number[] = [];
  let waiting: { readonly round: number; readonly answer: () => void }[] = [];
  let most = 0;
  const answerAll = async (): Promise<void> => {
    const batch = waiting.reverse();
    waiting = [];
    for (const { answer } of batch) {
      answer();
      await new Promise(setImmediate);
    }
  };
  const finalised = (_: bigint, round: number) =>
    new Promise<FinalisedRecord>((resolve) => {
      asked.push(round);
      waiting.push({ round, answer: () => resolve(recordOf(round)) });
      most = Math.max(most, waiting.length);
      if (waiting.length === 1) setImmediate(() => void answerAll());
    });
  return { finalised, asked, mostAtOnce: () => most };
}

it("apply rounds in their order whatever order they are answered in, and ask about no more at once than the bound", async () => {
  const kept = (round: number) => round % 3 === 0 || round === LATE - 1;
  const slow = answeringBackwards((round) => record(kept(round) ? 1n : 0n, [4]));
  const found = await reputationsBefore(slow, { run: 1n, round: LATE, alphaQ16: 52_429 }, [4]);
  let expected = REPUTATION_ONE;
  for (let round = 1; round < LATE; round++)
    expected = Math.floor((52_429 * expected + (kept(round) ? 13_107 * REPUTATION_ONE : 0)) / 65_536);
  assert.deepEqual(found, [expected]);
  assert.deepEqual(
    [...slow.asked].sort((a, b) => a - b),
    Array.from({ length: LATE - 1 }, (_, i) => i + 1),
    "each round once",
  );
  assert.equal(slow.mostAtOnce(), ROUNDS_AT_ONCE);
});

describe("on a chain", () => {
  let federation: Federation;
  before(async () => {
    federation = await startFederation();
  });
  after(() => federation.stop());

  it("are the standings that the contract showed before each round", async () => {
    // Member 2 is dropped first and kept then, member 4 the other way round.
    const keep = [0b1101n, 0b1111n, 0b0111n];
    const { run } = await openRun(federation, { rounds: keep.length });
    const { ledger } = federation.members[0] as Party;
    const memberIds = federation.members.map(({ id }) => id);
    const standings = async () =>
      (await Promise.all(memberIds.map((id) => ledger.standingOf(run, id)))).map(({ reputationQ16 }) => reputationQ16);
    const shown = [await standings()];
    for (const kept of keep) {
      await playRound(federation, run, kept);
      shown.push(await standings());
    }
    assert.equal(new Set(shown.map((reputations) => reputations.join())).size, shown.length, "every round moves some");
    const { alphaQ16 } = (await ledger.runView(run)).params;
    for (const [i, expected] of shown.entries())
      assert.deepEqual(await reputationsBefore(ledger, { run, round: i + 1, alphaQ16 }, memberIds), expected);
  });
});
