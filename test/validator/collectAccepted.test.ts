// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nextBeacon } from "../../src/protocol/beacon.ts";
import { bitmapOf } from "../../src/protocol/bitmap.ts";
import { bytesInMemory } from "../../src/protocol/byteSource.ts";
import { concatBytes, type Hex } from "../../src/protocol/bytes.ts";
import { ZERO_WORD } from "../../src/protocol/commitment.ts";
import { contentIdOfDigest, digestOfContentId } from "../../src/protocol/contentId.ts";
import type { ContentStore } from "../../src/protocol/contentStore.ts";
import type { CommitRecord, VerdictRecord } from "../../src/protocol/ledger.ts";
import { SILENT } from "../../src/protocol/logger.ts";
import { MemoryNetwork, openMemoryStore } from "../../src/storage/memoryStore.ts";
import { type AcceptedUpdates, collectAccepted } from "../../src/validator/round/collectAccepted.ts";
import { judgeUpdates } from "../../src/validator/round/judgeUpdates.ts";
import type { ValidatorContext, ValidatorRound } from "../../src/validator/validatorContext.ts";
import { addressOf, ScriptedChain, VALIDATORS } from "../support/scriptedChain.ts";
import { ARTIFACT, commitTo, contextFor, LAYOUT } from "../update/fixtures.ts";

const reveal = (index: number): Hex => `0x${String(index + 1).repeat(64)}`;
/** The judging phase is over; attesting ends with block 130. */
const JUDGED = { commitEnd: 101, judgeEnd: 102, verdicts: 4, accepted: 3 };

/** Verdicts in the order in which they were mined, which is not that of the validators. */
function verdicts(yes: Record<number, readonly number[]>): VerdictRecord[] {
  return [2, 0, 3, 1].map((validatorIndex) => ({
    validatorIndex,
    validatorId: validatorIndex + 1,
    bitmap: bitmapOf(yes[validatorIndex] ?? []),
    codes: new Uint8Array(2),
    reveal: reveal(validatorIndex),
    block: 102,
  }));
}

/** A validator that judges two commits of member 5 and 6, of which it was served some. */
class Judging {
  readonly chain = new ScriptedChain(7, JUDGED);
  readonly network = new MemoryNetwork();
  readonly commits: CommitRecord[] = [];
  store!: ContentStore;

  static async of(served: readonly (Uint8Array | undefined)[], committed: readonly Uint8Array[]): Promise<Judging> {
    const judging = new Judging();
    judging.store = await openMemoryStore(judging.network);
    const elsewhere = await openMemoryStore(new MemoryNetwork());
    for (const [commitIndex, bytes] of committed.entries()) {
      const artifactCid = digestOfContentId(await elsewhere.put(bytes));
      judging.commits.push({
        commitment: { ...commitTo(bytes), artifactCid },
        commitIndex,
        signature: "0x",
        block: 101,
      });
      if (served[commitIndex] !== undefined) await judging.store.put(served[commitIndex]);
    }
    judging.#served = served;
    return judging;
  }

  #served: readonly (Uint8Array | undefined)[] = [];

  async collect(yes: Record<number, readonly number[]>): Promise<AcceptedUpdates | undefined> {
    this.chain.block = 102;
    this.chain.commits = this.commits;
    this.chain.verdicts = verdicts(yes);
    const context = contextFor();
    const validator = {
      run: 1n,
      ledger: this.chain.ledger(addressOf(0)),
      store: this.store,
      recipe: { update: { codec: context.codec } },
      layout: LAYOUT,
      logger: SILENT,
      signal: new AbortController().signal,
    } as unknown as ValidatorContext;
    const round = {
      view: this.chain.view(),
      recipients: { validatorSet: VALIDATORS, keys: [ZERO_WORD, ZERO_WORD, ZERO_WORD] },
      self: VALIDATORS.validators[0],
    } as ValidatorRound;
    const fetched = this.commits.map((commit, i) => {
      const bytes = this.#served[i];
      return bytes === undefined ? { commit } : { commit, bytes: bytesInMemory(bytes) };
    });
    return collectAccepted(validator, round, await judgeUpdates(validator, fetched, context), context);
  }
}

describe("collecting what the verdicts accepted", () => {
  it("f+1 yes admit, one does not; the beacon takes the reveals by validator index", async () => {
    const judging = await Judging.of([ARTIFACT, ARTIFACT], [ARTIFACT, ARTIFACT]);
    const accepted = await judging.collect({ 0: [0, 1], 3: [0] });
    assert.equal(accepted?.bitmap, 0b01n);
    assert.deepEqual(
      accepted.updates.map(({ commit }) => commit.commitIndex),
      [0],
    );
    assert.equal(accepted.beacon, nextBeacon(ZERO_WORD, [0, 1, 2, 3].map(reveal)));
  });

  it("bytes served to some validators only: who lacks accepted bytes gets them from a yes-voter", async () => {
    const judging = await Judging.of([undefined], [ARTIFACT]);
    const collecting = judging.collect({ 1: [0], 2: [0] });
    const yesVoter = await openMemoryStore(judging.network);
    const id = await yesVoter.put(ARTIFACT);
    await yesVoter.serve(id);
    const accepted = await collecting;
    assert.deepEqual(
      accepted?.updates.map(({ verified }) => [verified.memberId, verified.kind]),
      [[5, "update"]],
    );
  });

  it("what it said yes to it serves, also when the round has failed", async () => {
    const judging = await Judging.of([ARTIFACT], [ARTIFACT]);
    judging.chain.facts = { ...judging.chain.facts, verdicts: 2 };
    assert.equal(await judging.collect({ 0: [0] }), undefined);
    assert.equal(
      await judging.store.serves(contentIdOfDigest(judging.commits[0]?.commitment.artifactCid as Hex)),
      true,
    );
  });

  it("what it said no to it does not serve", async () => {
    const garbage = concatBytes(ARTIFACT, Uint8Array.of(0));
    const judging = await Judging.of([garbage], [garbage]);
    const accepted = await judging.collect({});
    assert.equal(accepted?.bitmap, 0n);
    assert.equal(
      await judging.store.serves(contentIdOfDigest(judging.commits[0]?.commitment.artifactCid as Hex)),
      false,
    );
  });

  it("an update that more than f validators let through and that is invalid here is not attested", async () => {
    const garbage = concatBytes(ARTIFACT, Uint8Array.of(0));
    const judging = await Judging.of([garbage], [garbage]);
    await assert.rejects(judging.collect({ 1: [0], 2: [0] }), {
      code: "ACCEPTED_BUT_INVALID",
      message: /MALFORMED here/,
    });
  });

  it("accepted bytes that nobody serves before attesting ends are not attested either", async () => {
    const judging = await Judging.of([undefined], [ARTIFACT]);
    const refused = assert.rejects(judging.collect({ 1: [0], 2: [0] }), {
      code: "ACCEPTED_BUT_INVALID",
      message: /NOT_SERVED here/,
    });
    await judging.chain.mineTo(130);
    await refused;
  });
});
