// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { developmentAccounts } from "../../src/chain/developmentAccounts.ts";
import { startEmbeddedChain } from "../../src/chain/embeddedChain.ts";

async function call(rpcUrl: string, method: string, params: unknown[] = []): Promise<unknown> {
  const response = await fetch(rpcUrl, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  return ((await response.json()) as { result: unknown }).result;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function waitUntilGone(pid: number): Promise<void> {
  for (let i = 0; i < 200 && isAlive(pid); i++) await sleep(20);
  assert.ok(!isAlive(pid), `process ${pid} is still alive`);
}

describe("embedded chain", () => {
  it("funds the development accounts that hardhat node funds", async () => {
    const chain = await startEmbeddedChain({ accounts: 3, blockMs: 20 });
    try {
      assert.deepEqual(
        await call(chain.rpcUrl, "eth_accounts"),
        chain.accounts.map((account) => account.address.toLowerCase()),
      );
      assert.equal(chain.accounts[0]?.address, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
      assert.deepEqual(chain.accounts, developmentAccounts(3));
      assert.equal(await call(chain.rpcUrl, "eth_chainId"), "0x7a69");
    } finally {
      await chain.stop();
    }
  });

  it("makes blocks without transactions, and none at once for a transaction", async () => {
    const chain = await startEmbeddedChain({ accounts: 2, blockMs: 150 });
    try {
      const [from, to] = (await call(chain.rpcUrl, "eth_accounts")) as string[];
      const hash = await call(chain.rpcUrl, "eth_sendTransaction", [{ from, to, value: "0x1" }]);
      const start = Number(await call(chain.rpcUrl, "eth_blockNumber"));
      let receipt: unknown = null;
      for (let i = 0; i < 100 && receipt === null; i++) {
        await sleep(20);
        receipt = await call(chain.rpcUrl, "eth_getTransactionReceipt", [hash]);
      }
      assert.ok(receipt !== null);
      for (let i = 0; i < 100 && Number(await call(chain.rpcUrl, "eth_blockNumber")) < start + 3; i++) await sleep(20);
      assert.ok(Number(await call(chain.rpcUrl, "eth_blockNumber")) >= start + 3);
    } finally {
      await chain.stop();
    }
  });

  it("stops: the process is gone, the port is free, and stopping again does nothing", async () => {
    const chain = await startEmbeddedChain({ accounts: 1 });
    await chain.stop();
    assert.ok(!isAlive(chain.pid));
    await assert.rejects(call(chain.rpcUrl, "eth_chainId"));
    await chain.stop();
  });

  it("says why it cannot start when the port is taken", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const { port } = blocker.address() as { port: number };
    try {
      await assert.rejects(startEmbeddedChain({ port }), (error: Error) => error.message.includes(String(port)));
    } finally {
      blocker.close();
    }
  });

  for (const ending of ["exits without stopping it", "is killed", "throws"] as const) {
    it(`dies when its parent ${ending}`, async () => {
      const after = {
        "exits without stopping it": "",
        "is killed": "setInterval(() => {}, 1000);",
        throws: "throw new Error('crash');",
      };
      const script = `
        import { startEmbeddedChain } from ${JSON.stringify(new URL("../../src/chain/embeddedChain.ts", import.meta.url).href)};
        const chain = await startEmbeddedChain({ accounts: 1 });
        console.log(chain.pid);
        ${after[ending]}`;
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const parent = spawn(process.execPath, ["--input-type=module", "--eval", script], {
        stdio: ["ignore", "pipe", "ignore"],
        env,
      });
      const [line] = (await once(createInterface(parent.stdout), "line")) as [string];
      const pid = Number(line);
      if (ending === "is killed") {
        assert.ok(isAlive(pid));
        parent.kill("SIGKILL");
      }
      await once(parent, "exit");
      await waitUntilGone(pid);
    });
  }
});
