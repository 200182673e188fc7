// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ZERO_WORD } from "../../src/protocol/commitment.ts";
import { contentIdOfDigest, digestOfContentId } from "../../src/protocol/contentId.ts";
import type { ContentStore } from "../../src/protocol/contentStore.ts";
import type { CommitRecord } from "../../src/protocol/ledger.ts";
import { SILENT } from "../../src/protocol/logger.ts";
import { MemoryNetwork, openMemoryStore } from "../../src/storage/memoryStore.ts";
import { fetchUntil } from "../../src/validator/round/fetchUpdates.ts";
import { judgeUpdates, verdictCodes, yesBitmap } from "../../src/validator/round/judgeUpdates.ts";
import type { ValidatorContext, ValidatorRound } from "../../src/validator/validatorContext.ts";

const round = { view: { closing: false }, recipients: { keys: [] } } as unknown as ValidatorRound;

function validator(store: ContentStore, signal = new AbortController().signal): ValidatorContext {
  return {
    store,
    signal,
    logger: SILENT,
    recipe: { update: { codec: { name: "int8", blockSize: 16 } } },
    layout: { size: 16 },
  } as unknown as ValidatorContext;
}

async function committed(store: ContentStore, memberId: number, bytes: Uint8Array): Promise<CommitRecord> {
  const artifactCid = digestOfContentId(await store.put(bytes));
  const commitment = {
    run: 1n,
    round: 1,
    head: ZERO_WORD,
    memberId,
    artifactDigest: ZERO_WORD,
    artifactCid,
    samples: 1,
    lossCommitment: 1n,
    extension: ZERO_WORD,
  };
  return { commitment, commitIndex: memberId - 1, signature: "0x", block: 1 };
}

describe("fetching committed updates", () => {
  it("bytes served to some validators only: NOT_SERVED until a yes-voter serves them, then fetched from it", async () => {
    const everybody = new MemoryNetwork();
    const favoured = new MemoryNetwork();
    const liar = await openMemoryStore(favoured);
    const bytes = Uint8Array.of(1, 2, 3);
    const commit = await committed(liar, 1, bytes);
    const id = contentIdOfDigest(commit.commitment.artifactCid);
    await liar.serve(id);

    // The favoured validator has them, the other does not.
    const near = await fetchUntil(validator(await openMemoryStore(favoured)), round, [commit], (stop) => aborted(stop));
    assert.deepEqual(await near[0]?.bytes?.read(0, 3), bytes);
    const other = await openMemoryStore(everybody);
    const far = await fetchUntil(validator(other), round, [commit], () => Promise.resolve());
    assert.equal(far[0]?.bytes, undefined);

    // After judging a yes-voter serves what it holds, and whoever waits gets it.
    const yesVoter = await openMemoryStore(everybody);
    await yesVoter.put(bytes);
    const waiting = fetchUntil(validator(other), round, [commit], (stop) => aborted(stop));
    await yesVoter.serve(id);
    assert.deepEqual(await (await waiting)[0]?.bytes?.read(0, 3), bytes);
  });

  it("is over as soon as everything is here, and tells its patience so", async () => {
    const network = new MemoryNetwork();
    const source = await openMemoryStore(network);
    const commits = await Promise.all([1, 2, 3].map((member) => committed(source, member, Uint8Array.of(member))));
    for (const { commitment } of commits) await source.serve(contentIdOfDigest(commitment.artifactCid));
    let told = false;
    const fetched = await fetchUntil(validator(await openMemoryStore(network)), round, commits, async (stop) => {
      await aborted(stop);
      told = true;
    });
    assert.deepEqual(await Promise.all(fetched.map(async ({ bytes }) => (await bytes?.read(0, 1))?.[0])), [1, 2, 3]);
    assert.equal(told, true);
  });

  it("more bytes than any artifact may have: not held, MALFORMED", async () => {
    const network = new MemoryNetwork();
    const source = await openMemoryStore(network);
    const commit = await committed(source, 1, new Uint8Array(100_000));
    await source.serve(contentIdOfDigest(commit.commitment.artifactCid));
    const context = validator(await openMemoryStore(network));
    const fetched = await fetchUntil(context, round, [commit], (stop) => aborted(stop));
    assert.deepEqual(fetched, [{ commit, tooLarge: true }]);
    const judgements = await judgeUpdates(context, fetched, {} as never);
    assert.equal(yesBitmap(judgements), 0n);
    assert.deepEqual(verdictCodes(judgements), Uint8Array.of(3));
  });

  it("a validator that is stopped stops fetching, and judging", async () => {
    const stopping = new AbortController();
    const store = await openMemoryStore(new MemoryNetwork());
    const commit = await committed(await openMemoryStore(new MemoryNetwork()), 1, Uint8Array.of(9));
    const fetching = fetchUntil(validator(store, stopping.signal), round, [commit], (stop) => aborted(stop));
    stopping.abort(new Error("stopped by its operator"));
    await assert.rejects(fetching, /stopped by its operator/);
    await assert.rejects(
      judgeUpdates(validator(store, stopping.signal), [{ commit }], {} as never),
      /stopped by its operator/,
    );
  });
});

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
