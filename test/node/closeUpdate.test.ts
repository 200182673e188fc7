// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { claimReward } from "../../src/node/claimReward.ts";
import type { NodeContext } from "../../src/node/nodeContext.ts";
import { closeUpdate } from "../../src/node/round/closeUpdate.ts";
import { commitUpdate } from "../../src/node/round/commitUpdate.ts";
import { prepareUpdateOnce } from "../../src/node/round/prepareUpdateOnce.ts";
import type { ContentStore } from "../../src/protocol/contentStore.ts";
import type { FinalisedRecord, LedgerWriter, Standing } from "../../src/protocol/ledger.ts";
import type { RoundFacts } from "../../src/protocol/schedule.ts";
import { MemoryNetwork, openMemoryStore } from "../../src/storage/memoryStore.ts";
import { openMember } from "../support/member.ts";
import { RECEIPT, ScriptedChain, settled } from "../support/scriptedChain.ts";

/** Facts of a round that is final after the next block. */
const FINAL: Partial<RoundFacts> = {
  commitEnd: 101,
  judgeEnd: 102,
  attestEnd: 103,
  verdicts: 4,
  attestations: 3,
  accepted: 3,
  finalisedBlock: 104,
};

describe("after a round", () => {
  let resources: AsyncDisposableStack;
  let chain: ScriptedChain;
  let store: ContentStore;
  beforeEach(async () => {
    resources = new AsyncDisposableStack();
    chain = new ScriptedChain(7);
    store = await openMemoryStore(new MemoryNetwork());
  });
  afterEach(() => resources.disposeAsync());

  /** A member that has committed, in a round whose result keeps the updates of `kept`, a bitmap of commit indices. */
  async function committed(kept: bigint, calls: Partial<LedgerWriter> = {}): Promise<NodeContext> {
    const node = await openMember(chain, store, resources, {
      calls: {
        commit: async (commitment, signature) => {
          chain.commits.push({ commitment, signature, commitIndex: 2, block: chain.block + 1 });
          return RECEIPT;
        },
        finalised: async () =>
          ({
            result: { kept },
            finalisation: {
              committed: chain.commits.map(({ commitIndex, commitment }) => ({ ...commitment, commitIndex })),
            },
          }) as unknown as FinalisedRecord,
        ...calls,
      },
    });
    const prepared = await prepareUpdateOnce(node, chain.view());
    assert.ok(prepared !== undefined);
    assert.ok(prepared.nextResidual?.some((value) => value !== 0));
    await commitUpdate(node, chain.view(), prepared);
    return node;
  }

  const residualOf = async (node: NodeContext): Promise<number[]> => {
    const { values, round } = await node.state.residual(node.layout.size);
    assert.equal(round, moved([...values]) ? 7 : undefined);
    return [...values];
  };
  const moved = (residual: readonly number[]): boolean => residual.some((value) => value !== 0);

  it("the residual advances when the update was kept, and the update is forgotten", async () => {
    const node = await committed(0b100n);
    const promised = (await node.state.prepared(7))?.nextResidual;
    assert.ok(promised !== undefined);
    const closing = closeUpdate(node, 7);
    await settled();
    // Not before the round is final: until then the update must be on disk to be sent again.
    assert.deepEqual([await node.state.pendingRounds(), moved(await residualOf(node))], [[7], false]);
    await chain.mine(FINAL);
    await closing;
    assert.deepEqual(await residualOf(node), [...promised]);
    assert.deepEqual(await node.state.pendingRounds(), []);
    // Again, as after a crash between the two.
    await closeUpdate(node, 7);
    assert.deepEqual(await residualOf(node), [...promised]);
  });

  it("the residual stays when the update was not kept: what it said is still to be said", async () => {
    const node = await committed(0b011n);
    chain.facts = { ...chain.facts, ...FINAL };
    await closeUpdate(node, 7);
    assert.equal(moved(await residualOf(node)), false);
    assert.deepEqual(await node.state.pendingRounds(), []);
  });

  it("the residual stays when the round failed, whatever was in it", async () => {
    const node = await committed(0b100n, { finalised: () => assert.fail("a failed round has no result") });
    const closing = closeUpdate(node, 7);
    await chain.mineTo(121);
    await closing;
    assert.equal(moved(await residualOf(node)), false);
    assert.deepEqual(await node.state.pendingRounds(), []);
  });

  it("a member whose commit is not in the result, since it came too late, keeps its residual", async () => {
    const node = await committed(0b100n);
    chain.commits = [];
    chain.facts = { ...chain.facts, ...FINAL };
    await closeUpdate(node, 7);
    assert.equal(moved(await residualOf(node)), false);
  });
});

describe("claiming a reward", () => {
  let resources: AsyncDisposableStack;
  let chain: ScriptedChain;
  beforeEach(() => {
    resources = new AsyncDisposableStack();
    chain = new ScriptedChain(7);
  });
  afterEach(() => resources.disposeAsync());

  async function claims(standing: Partial<Standing>): Promise<{ node: NodeContext; count: () => number }> {
    let count = 0;
    const node = await openMember(chain, await openMemoryStore(new MemoryNetwork()), resources, {
      calls: {
        standingOf: async () => ({ reward: 0n, claimed: false, ...standing }) as Standing,
        claim: async () => {
          count++;
          return RECEIPT;
        },
      },
    });
    return { node, count: () => count };
  }

  it("waits for the settlement and claims once", async () => {
    const { node, count } = await claims({ reward: 5n });
    const claimed = claimReward(node);
    await chain.mine();
    assert.equal(count(), 0);
    chain.run = { ...chain.run, settled: true };
    await chain.mine();
    await claimed;
    assert.equal(count(), 1);
  });

  for (const [what, standing] of [
    ["nothing was awarded", { reward: 0n }],
    ["it was claimed before", { reward: 5n, claimed: true }],
  ] as const) {
    it(`sends nothing where ${what}`, async () => {
      const { node, count } = await claims(standing);
      chain.run = { ...chain.run, settled: true };
      await claimReward(node);
      assert.equal(count(), 0);
    });
  }

  it("ends when the node is stopped before the settlement", async () => {
    const { node, count } = await claims({ reward: 5n });
    const stop = new AbortController();
    const claimed = assert.rejects(claimReward({ ...node, signal: stop.signal }), /stopped/);
    await settled();
    stop.abort(new Error("stopped"));
    await claimed;
    assert.equal(count(), 0);
  });
});
