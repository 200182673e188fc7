// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import type { FinalisedRecord } from "../../src/protocol/ledger.ts";
import { reputationsBefore } from "../../src/round/reputationsBefore.ts";

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
