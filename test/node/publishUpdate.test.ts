// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { NodeContext } from "../../src/node/nodeContext.ts";
import { commitUpdate } from "../../src/node/round/commitUpdate.ts";
import { prepareUpdateOnce } from "../../src/node/round/prepareUpdateOnce.ts";
import { publishUpdate } from "../../src/node/round/publishUpdate.ts";
import { contentIdOfDigest } from "../../src/protocol/contentId.ts";
import type { ContentStore } from "../../src/protocol/contentStore.ts";
import type { LedgerWriter } from "../../src/protocol/ledger.ts";
import { MemoryNetwork, openMemoryStore } from "../../src/storage/memoryStore.ts";
import { OUTCOME, openMember } from "../support/member.ts";
import { RECEIPT, ScriptedChain, settled } from "../support/scriptedChain.ts";

describe("committing and serving an update", () => {
  let resources: AsyncDisposableStack;
  let chain: ScriptedChain;
  let store: ContentStore;
  beforeEach(async () => {
    resources = new AsyncDisposableStack();
    chain = new ScriptedChain(7);
    store = await openMemoryStore(new MemoryNetwork());
  });
  afterEach(() => resources.disposeAsync());

  /** Records a commit as the contract does. */
  const commit: LedgerWriter["commit"] = async (commitment, signature) => {
    chain.commits.push({ commitment, signature, commitIndex: chain.commits.length, block: chain.block + 1 });
    return RECEIPT;
  };
  const member = (calls: Partial<LedgerWriter> = {}): Promise<NodeContext> =>
    openMember(chain, store, resources, { calls: { commit, ...calls } });

  it("holds the bytes from the commit on and serves them only after the end of committing", async () => {
    const node = await member();
    const prepared = await prepareUpdateOnce(node, chain.view());
    assert.ok(prepared !== undefined);
    const id = contentIdOfDigest(prepared.commitment.artifactCid);
    assert.equal(await store.has(id), false);
    assert.equal(await commitUpdate(node, chain.view(), prepared), true);
    assert.deepEqual([await store.has(id), await store.serves(id)], [true, false]);

    const published = publishUpdate(node, chain.view(), prepared);
    await chain.mineTo(109);
    assert.equal(await store.serves(id), false);
    // After block 110, the deadline, no transaction can commit any more.
    await chain.mine();
    await published;
    assert.equal(await store.serves(id), true);
  });

  it("serves as soon as everybody has committed", async () => {
    const node = await member();
    const prepared = await prepareUpdateOnce(node, chain.view());
    assert.ok(prepared !== undefined);
    await commitUpdate(node, chain.view(), prepared);
    const published = publishUpdate(node, chain.view(), prepared);
    await settled();
    await chain.mine({ commitEnd: 101 });
    await published;
    assert.equal(await store.serves(contentIdOfDigest(prepared.commitment.artifactCid)), true);
  });

  it("commits once, however often it is started", async () => {
    const first = await member();
    const prepared = await prepareUpdateOnce(first, chain.view());
    assert.ok(prepared !== undefined);
    assert.equal(await commitUpdate(first, chain.view(), prepared), true);
    const again = {
      ...first,
      ledger: { ...first.ledger, commit: () => assert.fail("committed twice") },
    } as NodeContext;
    const same = await prepareUpdateOnce(again, chain.view());
    assert.deepEqual(same, prepared);
    assert.equal(await commitUpdate(again, chain.view(), prepared), true);
    assert.equal(chain.commits.length, 1);
  });

  it("two different artifacts for one round after a restart: made anew they would differ, so the second is never committed", async () => {
    const first = await member();
    const committed = await prepareUpdateOnce(first, chain.view());
    assert.ok(committed !== undefined);
    // Another disk: before the commit is seen it makes other bytes, since salt and content key are fresh.
    const other = await member({ commit: () => assert.fail("committed a second artifact") });
    const second = await prepareUpdateOnce(other, chain.view());
    assert.ok(second !== undefined);
    assert.notEqual(second.commitment.artifactDigest, committed.commitment.artifactDigest);
    assert.equal(await commitUpdate(first, chain.view(), committed), true);
    assert.equal(await commitUpdate(other, chain.view(), second), false);
  });

  it("after the deadline nothing is sent", async () => {
    const node = await member({ commit: () => assert.fail("committed too late") });
    const prepared = await prepareUpdateOnce(node, chain.view());
    assert.ok(prepared !== undefined);
    chain.block = 110;
    assert.equal(await commitUpdate(node, chain.view(), prepared), false);
  });

  it("NaN: training that diverged leaves nothing on disk, in the store or on chain", async () => {
    const delta = OUTCOME.delta.slice();
    delta[3] = Number.NaN;
    const node = await openMember(chain, store, resources, { outcome: { ...OUTCOME, delta } });
    await assert.rejects(prepareUpdateOnce(node, chain.view()), { code: "DIVERGED" });
    assert.deepEqual(await node.state.pendingRounds(), []);
  });
});
