// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Transaction, Wallet } from "ethers";
import { Administration } from "../../src/chain/administration.ts";
import { ChainEndpoint, type ContractCall } from "../../src/chain/chainEndpoint.ts";
import { CONSORTIUM, TOKEN } from "../../src/chain/contracts.ts";
import { ChainUnreachable, LedgerRevert, TransactionPending } from "../../src/chain/errors.ts";
import { TransactionSender } from "../../src/chain/transactionSender.ts";
import type { Hex } from "../../src/protocol/bytes.ts";
import { ConfigError } from "../../src/protocol/errors.ts";
import { type Federation, startFederation, word } from "./support/federation.ts";
import { answer, type RpcProxy, refusal, startProxy } from "./support/proxy.ts";

describe("transactions of one key", () => {
  let federation: Federation;
  let proxy: RpcProxy;
  let endpoint: ChainEndpoint;
  let key: Hex;
  let account: string;
  let token: string;

  before(async () => {
    federation = await startFederation();
    proxy = await startProxy(federation.chain.rpcUrl);
    endpoint = await ChainEndpoint.connect({ rpcUrl: proxy.url, pollingMs: 10, patienceMs: 5_000 });
    ({ privateKey: key, address: account } = federation.outsider);
    token = federation.deployment.token as string;
  });
  after(async () => {
    endpoint.close();
    await proxy.close();
    await federation.stop();
  });
  beforeEach(() => {
    proxy.intercept = () => undefined;
    proxy.counts.clear();
  });

  const mint = (amount: bigint): ContractCall => ({
    codec: TOKEN,
    to: token,
    functionName: "mint",
    args: [account, amount],
  });
  const minted = async (): Promise<bigint> => (await federation.admin.tokenState(token, account)).balance;
  const nonce = async (): Promise<number> =>
    Number(await endpoint.rpc.request("eth_getTransactionCount", [account, "latest"]));

  it("sends many at once, each with its own nonce, in the order of the calls", async () => {
    const sender = new TransactionSender(endpoint, key);
    const [before, first] = [await minted(), await nonce()];
    const mined = await Promise.all([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n].map((amount) => sender.call(mint(amount))));
    assert.equal((await minted()) - before, 36n);
    const nonces = await Promise.all(mined.map(async ({ transaction }) => (await transactionOf(transaction)).nonce));
    assert.deepEqual(
      nonces,
      Array.from({ length: 8 }, (_, i) => first + i),
    );
    // The nonce is asked for once, and then counted; `latest` is asked while receipts are waited for.
    assert.equal(proxy.counts.get("eth_sendRawTransaction"), 8);
  });

  it("goes on after another process used its key", async () => {
    const [one, two] = [new TransactionSender(endpoint, key), new TransactionSender(endpoint, key)];
    const before = await minted();
    await one.call(mint(1n));
    await two.call(mint(10n));
    await two.call(mint(100n));
    // The counter of the first is now two behind.
    await one.call(mint(1000n));
    assert.equal((await minted()) - before, 1111n);
  });

  it("does not send twice when the answer to sending is lost", async () => {
    const sender = new TransactionSender(endpoint, key);
    const [before, first] = [await minted(), await nonce()];
    let lost = 0;
    proxy.intercept = async (request, forward) => {
      if (request.method !== "eth_sendRawTransaction" || lost++ > 0) return undefined;
      await forward();
      return "cut";
    };
    await sender.call(mint(5n));
    assert.ok(lost >= 2, "the answer was not lost");
    assert.equal((await minted()) - before, 5n);
    assert.equal(await nonce(), first + 1);
  });

  it("knows its transaction again when the node says only that the nonce is used", async () => {
    const sender = new TransactionSender(endpoint, key);
    const before = await minted();
    let lost = 0;
    proxy.intercept = async (request, forward) => {
      if (request.method !== "eth_sendRawTransaction") return undefined;
      if (lost++ > 0) return refusal(request, -32000, "nonce too low");
      await forward();
      await federation.endpoint.clock.after(await federation.endpoint.blockNumber());
      return "cut";
    };
    await sender.call(mint(5n));
    assert.equal((await minted()) - before, 5n);
  });

  it("survives an endpoint that is down for a moment while it waits for the receipt", async () => {
    const sender = new TransactionSender(endpoint, key);
    const before = await minted();
    let outage: Promise<void> | undefined;
    proxy.intercept = (request) => {
      if (request.method !== "eth_getTransactionReceipt" || outage !== undefined) return undefined;
      outage = proxy
        .down()
        .then(() => sleep(300))
        .then(() => proxy.up());
      return "cut";
    };
    await sender.call(mint(9n));
    assert.notEqual(outage, undefined);
    await outage;
    assert.equal((await minted()) - before, 9n);
  });

  it("says that the endpoint is unreachable when it stays down", async () => {
    const impatient = await ChainEndpoint.connect({ rpcUrl: proxy.url, patienceMs: 50 });
    await proxy.down();
    try {
      await assert.rejects(new TransactionSender(impatient, key).call(mint(1n)), (error: unknown) => {
        assert.ok(error instanceof ChainUnreachable);
        assert.equal(error.exitCode, 3);
        return true;
      });
    } finally {
      await proxy.up();
    }
  });

  it("offers more when its transaction is not mined", async () => {
    const sender = new TransactionSender(endpoint, key, { raiseAfterBlocks: 2 });
    const before = await minted();
    const offers: bigint[] = [];
    proxy.intercept = (request) => {
      if (request.method !== "eth_sendRawTransaction") return undefined;
      const { hash, maxFeePerGas } = Transaction.from(request.params[0] as string);
      offers.push(maxFeePerGas as bigint);
      // The first two disappear, as from a full pool.
      return offers.length <= 2 ? answer(request, hash) : undefined;
    };
    await sender.call(mint(3n));
    assert.equal((await minted()) - before, 3n);
    assert.equal(offers.length, 3);
    for (let i = 1; i < 3; i++)
      assert.ok((offers[i] as bigint) * 8n > (offers[i - 1] as bigint) * 9n, "raised by more than an eighth");
    // And the counter is right afterwards.
    await sender.call(mint(4n));
    assert.equal((await minted()) - before, 7n);
  });

  it("stops waiting at last, and repeating the call is safe", async () => {
    const sender = new TransactionSender(endpoint, key, { raiseAfterBlocks: 100, giveUpAfterBlocks: 3 });
    const before = await minted();
    proxy.intercept = (request) => {
      if (request.method !== "eth_sendRawTransaction") return undefined;
      return answer(request, Transaction.from(request.params[0] as string).hash);
    };
    await assert.rejects(sender.call(mint(3n)), TransactionPending);
    proxy.intercept = () => undefined;
    await new TransactionSender(endpoint, key).call(mint(3n));
    assert.equal((await minted()) - before, 3n);
  });

  it("prepares a call again when a stranger's transaction took its nonce", async () => {
    const sender = new TransactionSender(endpoint, key);
    const stranger = new TransactionSender(federation.endpoint, key);
    const before = await minted();
    let stolen = false;
    proxy.intercept = async (request) => {
      if (request.method !== "eth_sendRawTransaction" || stolen) return undefined;
      stolen = true;
      await stranger.call(mint(100n));
      return answer(request, Transaction.from(request.params[0] as string).hash);
    };
    await sender.call(mint(1n));
    assert.equal((await minted()) - before, 101n);
  });

  it("names the custom error and its values when the estimate is refused", async () => {
    const administration = new Administration(endpoint, federation.deployment.addresses, key);
    await assert.rejects(administration.setSuspended("member", 1, true), (error: unknown) => {
      assert.ok(error instanceof LedgerRevert);
      assert.equal(error.error, "OwnableUnauthorizedAccount");
      assert.deepEqual(error.args, { account });
      assert.equal(error.call, "Consortium.setMemberSuspended");
      assert.equal(error.transaction, undefined);
      return true;
    });
  });

  it("names the custom error of a transaction that was mined and failed, and the transaction", async () => {
    const sender = new TransactionSender(endpoint, key);
    const first = await nonce();
    // An estimate from a node that knows a later state.
    proxy.intercept = (request) => (request.method === "eth_estimateGas" ? answer(request, "0x30000") : undefined);
    const call = {
      codec: CONSORTIUM,
      to: federation.deployment.addresses.consortium,
      functionName: "removeMember",
      args: [1],
    };
    await assert.rejects(sender.call(call), (error: unknown) => {
      assert.ok(error instanceof LedgerRevert);
      assert.equal(error.error, "OwnableUnauthorizedAccount");
      assert.match(error.transaction as string, /^0x[0-9a-f]{64}$/);
      return true;
    });
    // A failed transaction has used its nonce.
    proxy.intercept = () => undefined;
    assert.equal(await nonce(), first + 1);
    await sender.call(mint(1n));
  });

  it("says that gas ran out", async () => {
    proxy.intercept = (request) => (request.method === "eth_estimateGas" ? answer(request, "0x800") : undefined);
    await assert.rejects(new TransactionSender(endpoint, key).call(mint(1n)), (error: unknown) => {
      assert.ok(error instanceof LedgerRevert);
      assert.equal(error.error, "OutOfGas");
      return true;
    });
  });

  it("says that an account has no coin for gas, and how much it has", async () => {
    const poor = Wallet.createRandom();
    await assert.rejects(new TransactionSender(endpoint, poor.privateKey as Hex).call(mint(1n)), (error: unknown) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.equal(error.exitCode, 2);
      assert.ok(error.message.includes(poor.address) && error.message.includes("0 wei"));
      return true;
    });
  });

  it("pays legacy prices where blocks have no base fee", async () => {
    proxy.intercept = async (request, forward) => {
      if (request.method !== "eth_getBlockByNumber") return undefined;
      const { baseFeePerGas: _, ...block } = (await forward())["result"] as Record<string, unknown>;
      return answer(request, block);
    };
    const { transaction } = await new TransactionSender(endpoint, key).call(mint(1n));
    assert.equal((await transactionOf(transaction)).type, 0);
  });

  it("works with a node that suggests no tip and estimates only in its latest block", async () => {
    proxy.intercept = (request) => {
      if (request.method === "eth_maxPriorityFeePerGas") return refusal(request, -32601, "the method does not exist");
      if (request.method === "eth_estimateGas" && request.params.length > 1)
        return refusal(request, -32602, "too many arguments");
      return undefined;
    };
    const { transaction } = await new TransactionSender(endpoint, key).call(mint(1n));
    assert.equal((await transactionOf(transaction)).type, 2);
  });

  it("tries again in the next block when a phase has not begun yet in the latest", async () => {
    let refused = 0;
    const tooEarly = errorData("TrainingLedgerWrongPhase(uint64,uint32,uint8,uint8)", [1, 1, 1, 2]);
    proxy.intercept = (request) =>
      request.method === "eth_estimateGas" && refused++ < 1
        ? refusal(request, 3, "execution reverted", tooEarly)
        : undefined;
    await new TransactionSender(endpoint, key).call(mint(1n));
    assert.ok(refused >= 2);
    // Too late is final, and so is too early for long.
    const tooLate = errorData("TrainingLedgerWrongPhase(uint64,uint32,uint8,uint8)", [1, 1, 3, 2]);
    for (const [data, estimates] of [
      [tooLate, 1],
      [tooEarly, 3],
    ] as const) {
      refused = 0;
      proxy.intercept = (request) => {
        if (request.method !== "eth_estimateGas") return undefined;
        refused++;
        return refusal(request, 3, "execution reverted", data);
      };
      await assert.rejects(new TransactionSender(endpoint, key).call(mint(1n)), LedgerRevert);
      assert.equal(refused, estimates);
    }
  });

  for (const [node, data] of Object.entries({
    "geth, Besu": (bytes: string) => bytes,
    "Hardhat's older form": (bytes: string) => ({ message: "reverted", txHash: word("tx"), data: bytes }),
    OpenEthereum: (bytes: string) => `Reverted ${bytes}`,
  })) {
    it(`reads revert data where ${node} puts it`, async () => {
      const bytes = errorData("TrainingLedgerUnknownRun(uint64)", [77]);
      proxy.intercept = (request) =>
        request.method === "eth_estimateGas" ? refusal(request, -32000, "execution reverted", data(bytes)) : undefined;
      await assert.rejects(new TransactionSender(endpoint, key).call(mint(1n)), (error: unknown) => {
        assert.ok(error instanceof LedgerRevert);
        assert.equal(error.error, "TrainingLedgerUnknownRun");
        assert.deepEqual(error.args, { run: 77n });
        return true;
      });
    });
  }

  it("waits until a transaction is as deep as the chain's finality wants", async () => {
    const deep = await ChainEndpoint.connect({ rpcUrl: proxy.url, pollingMs: 10, finalityDepth: 3 });
    const mined = await new TransactionSender(deep, key).call(mint(1n));
    assert.ok((await endpoint.blockNumber()) >= mined.block + 3);
    assert.ok((await deep.blockNumber()) <= (await endpoint.blockNumber()) - 2);
    deep.close();
  });

  async function transactionOf(hash: Hex): Promise<{ nonce: number; type: number }> {
    const found = (await endpoint.rpc.request("eth_getTransactionByHash", [hash])) as { nonce: string; type: string };
    return { nonce: Number(found.nonce), type: Number(found.type) };
  }
});

/** Revert data of a custom error with integer values. */
function errorData(signature: string, values: readonly number[]): string {
  return `${word(signature).slice(0, 10)}${values.map((value) => value.toString(16).padStart(64, "0")).join("")}`;
}
