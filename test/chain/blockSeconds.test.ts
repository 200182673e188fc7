// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { blockSeconds } from "../../src/chain/blockSeconds.ts";
import { ChainEndpoint } from "../../src/chain/chainEndpoint.ts";
import { startEmbeddedChain } from "../../src/chain/embeddedChain.ts";

/** An endpoint whose chain has blocks of these times. */
const chainOf = (timeOf: (block: number) => number, last: number) =>
  ({
    blockNumber: async () => last,
    rpc: {
      request: async (_: string, [block]: readonly [string]) => ({
        timestamp: `0x${timeOf(Number(block)).toString(16)}`,
      }),
    },
  }) as unknown as ChainEndpoint;

describe("blockSeconds", () => {
  it("is the mean over the last hundred blocks, without the genesis block, whose time is anything", async () => {
    assert.equal(await blockSeconds(chainOf((block) => 1_000 + 5 * block, 900)), 5);
    const young = (block: number) => (block === 0 ? 0 : 1_700_000_000 + 2 * block);
    assert.equal(await blockSeconds(chainOf(young, 11)), 2);
    const changed = (block: number) => (block < 200 ? 10 * block : 2_000 + (block - 200));
    assert.equal(await blockSeconds(chainOf(changed, 300)), 1);
    assert.equal(await blockSeconds(chainOf((block) => Math.floor(block / 5), 500)), 0.2);
  });

  it("is unknown of a chain with too few blocks, or all at one time", async () => {
    for (const last of [0, 1, 10]) assert.equal(await blockSeconds(chainOf((block) => 5 * block, last)), undefined);
    assert.equal(await blockSeconds(chainOf(() => 7, 500)), undefined);
  });

  it("reads a real chain's headers", async () => {
    const chain = await startEmbeddedChain({ accounts: 1, blockMs: 40 });
    try {
      const endpoint = await ChainEndpoint.connect({ rpcUrl: chain.rpcUrl, pollingMs: 20 });
      try {
        await endpoint.clock.after(40);
        const seconds = await blockSeconds(endpoint);
        assert.ok(seconds !== undefined && seconds > 0);
      } finally {
        endpoint.close();
      }
    } finally {
      await chain.stop();
    }
  });
});
