// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { ChainEndpoint } from "../../src/chain/chainEndpoint.ts";
import { formatDeployment, readDeployment, writeDeployment } from "../../src/chain/deployment.ts";
import { ChainUnreachable } from "../../src/chain/errors.ts";
import { connectLedger } from "../../src/chain/ledgerClient.ts";
import { RpcLedgerWriter } from "../../src/chain/ledgerWriter.ts";
import { ConfigError } from "../../src/protocol/errors.ts";
import type { LedgerAddresses } from "../../src/protocol/ledger.ts";
import { type Federation, openRun, playRound, startFederation } from "./support/federation.ts";
import { closedPortUrl, type RpcProxy, refusal, startProxy } from "./support/proxy.ts";

describe("connecting to a ledger", () => {
  let federation: Federation;
  let proxy: RpcProxy;
  let folder: string;
  let deploymentFile: string;
  let addresses: LedgerAddresses;
  let run: bigint;

  before(async () => {
    federation = await startFederation();
    ({ run } = await openRun(federation));
    await playRound(federation, run);
    proxy = await startProxy(federation.chain.rpcUrl);
    folder = await mkdtemp(join(tmpdir(), "foedus-ledger-"));
    deploymentFile = join(folder, "deployments", "test.json");
    await writeDeployment(deploymentFile, federation.deployment);
    ({ addresses } = federation.deployment);
  });
  after(async () => {
    await proxy.close();
    await federation.stop();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    proxy.intercept = () => undefined;
    proxy.counts.clear();
  });

  it("takes the contracts from a deployment file, and writes only with a key", async () => {
    assert.deepEqual(await readDeployment(deploymentFile), federation.deployment);
    const reader = await connectLedger({ rpcUrl: proxy.url, deploymentFile });
    assert.deepEqual(reader.addresses, addresses);
    assert.ok(!(reader instanceof RpcLedgerWriter));
    reader.close();
    const { privateKey, address } = federation.outsider;
    const writer = await connectLedger({ rpcUrl: proxy.url, deploymentFile, privateKey });
    assert.equal(writer.account, address);
    writer.close();
  });

  it("says at once when nobody answers: exit code 3, the address, and what to do", async () => {
    const start = performance.now();
    const closed = await closedPortUrl();
    await assert.rejects(connectLedger({ rpcUrl: `${closed}/secret-api-key`, addresses }), (error: unknown) => {
      assert.ok(error instanceof ChainUnreachable);
      assert.equal(error.exitCode, 3);
      assert.match(error.message, /http:\/\/127\.0\.0\.1:\d+\/….*ECONNREFUSED.*Start the chain/);
      assert.ok(!error.message.includes("secret-api-key"));
      return true;
    });
    assert.ok(performance.now() - start < 5_000);
    for (const rpcUrl of ["ws://127.0.0.1:8546", "not a url", ""]) {
      await assert.rejects(connectLedger({ rpcUrl, addresses }), ChainUnreachable, rpcUrl);
    }
  });

  it("takes an overloaded endpoint or a gateway's error page for unreachable, not for a lie", async () => {
    for (const status of [429, 502, 503]) {
      proxy.intercept = () => ({ status, body: "<html>later</html>" });
      await assert.rejects(connectLedger({ rpcUrl: proxy.url, addresses }), ChainUnreachable, String(status));
    }
  });

  it("refuses another chain than that of the deployment", async () => {
    const other = join(folder, "other.json");
    await writeFile(other, formatDeployment({ ...federation.deployment, chainId: 1n }));
    await assert.rejects(connectLedger({ rpcUrl: proxy.url, deploymentFile: other }), /serves chain 31337.*on chain 1/);
  });

  const mixedUp: Record<string, (real: LedgerAddresses) => LedgerAddresses> = {
    "an account instead of a contract": (real) => ({ ...real, consortium: federation.outsider.address }),
    "consortium and ledger exchanged": (real) => ({
      ...real,
      consortium: real.trainingLedger,
      trainingLedger: real.consortium,
    }),
    "proof and rewards exchanged": (real) => ({
      ...real,
      proofOfTraining: real.shapleyRewards,
      shapleyRewards: real.proofOfTraining,
    }),
    "a token instead of the rewards": (real) => ({ ...real, shapleyRewards: federation.deployment.token as string }),
  };
  for (const [name, mix] of Object.entries(mixedUp)) {
    it(`refuses wrong addresses: ${name}`, async () => {
      await assert.rejects(connectLedger({ rpcUrl: proxy.url, addresses: mix(addresses) }), ConfigError);
    });
  }

  it("refuses what is no deployment file, and says why", async () => {
    const damages: Record<string, string> = {
      "not JSON": "{",
      "no addresses": JSON.stringify({ version: 1, chainId: "1" }),
      "a wrong checksum": formatDeployment(federation.deployment).replace(
        addresses.consortium,
        addresses.consortium.replace("a", "A"),
      ),
      "an unknown field": formatDeployment(federation.deployment).replace("{", '{ "note": 1,'),
      "a later version": formatDeployment(federation.deployment).replace('"version": 1', '"version": 2'),
    };
    for (const [name, text] of Object.entries(damages)) {
      const path = join(folder, "damaged.json");
      await writeFile(path, text);
      await assert.rejects(
        readDeployment(path),
        (error) => error instanceof ConfigError && error.message.includes(path),
        name,
      );
    }
    await assert.rejects(readDeployment(join(folder, "absent.json")), /scripts\/deploy\.ts/);
  });

  it("asks once per interval however many wait, and not at all while nobody does", async () => {
    const endpoint = await ChainEndpoint.connect({ rpcUrl: proxy.url, pollingMs: 30 });
    const block = await endpoint.blockNumber();
    proxy.counts.clear();
    const start = performance.now();
    const seen = await Promise.all(Array.from({ length: 20 }, () => endpoint.clock.after(block + 2)));
    const polls = proxy.counts.get("eth_blockNumber") as number;
    assert.ok(seen.every((number) => number > block + 2));
    assert.ok(polls <= (performance.now() - start) / 30 + 2, `${polls} requests`);
    endpoint.close();
  });

  it("stops waiting when the signal says so, or when it is closed", async () => {
    const ledger = await connectLedger({ rpcUrl: proxy.url, addresses });
    const controller = new AbortController();
    const reason = new Error("shutting down");
    const waiting = ledger.waitForBlockAfter(1_000_000, controller.signal);
    controller.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(ledger.waitForBlockAfter(0, controller.signal), reason);
    const until = ledger.waitForBlockAfter(1_000_000);
    ledger.close();
    await assert.rejects(until, /closed/);
    await assert.rejects(ledger.waitForBlockAfter(0), /closed/);
    await assert.rejects(ledger.blockNumber(), ChainUnreachable);
  });

  it("costs one request to see a run and one to see a round", async () => {
    const ledger = await connectLedger({ rpcUrl: proxy.url, addresses });
    await ledger.runView(run);
    proxy.counts.clear();
    await ledger.runView(run);
    await ledger.roundView(run, 1);
    assert.deepEqual([...proxy.counts], [["eth_call", 2]]);
    ledger.close();
  });

  it("reads events in the spans an endpoint allows, with the same result", async () => {
    const unlimited = await connectLedger({ rpcUrl: proxy.url, addresses });
    const expected = await unlimited.commits(run, 1);
    assert.equal(expected.length, 4);
    unlimited.close();
    for (const [limit, logSpan] of [
      [3, 10_000],
      [1, 7],
    ] as const) {
      proxy.intercept = (request) => {
        if (request.method !== "eth_getLogs") return undefined;
        const { fromBlock, toBlock } = request.params[0] as { fromBlock: string; toBlock: string };
        return Number(toBlock) - Number(fromBlock) + 1 > limit
          ? refusal(request, -32005, "query exceeds max block range")
          : undefined;
      };
      const ledger = await connectLedger({ rpcUrl: proxy.url, addresses, logSpan });
      assert.deepEqual(await ledger.commits(run, 1), expected);
      ledger.close();
    }
  });

  it("sees a reorganisation in its next reading", async () => {
    const { ledger } = federation.members[0] as { ledger: RpcLedgerWriter };
    const snapshot = await federation.endpoint.rpc.request("evm_snapshot", []);
    const before = await ledger.runView(run);
    await ledger.openRound(run);
    assert.equal((await ledger.runView(run)).lastRound, before.lastRound + 1);
    await federation.endpoint.rpc.request("evm_revert", [snapshot]);
    assert.deepEqual(await ledger.runView(run), before);
    await assert.rejects(ledger.roundView(run, before.lastRound + 1), /UnknownRound/);
    // The nonce counted for the transaction that is gone is not used.
    await ledger.openRound(run);
    assert.equal((await ledger.runView(run)).lastRound, before.lastRound + 1);
  });

  for (const [name, ending] of Object.entries({
    "after close()": "ledger.close();",
    "without close(), while idle": "",
  })) {
    it(`lets the process end ${name}`, async () => {
      const module = JSON.stringify(new URL("../../src/chain/ledgerClient.ts", import.meta.url).href);
      const text = `
        import { connectLedger } from ${module};
        const ledger = await connectLedger({ rpcUrl: ${JSON.stringify(proxy.url)}, deploymentFile: ${JSON.stringify(deploymentFile)} });
        await ledger.waitForBlockAfter(await ledger.blockNumber());
        ${ending}`;
      const child = spawn(process.execPath, ["--input-type=module", "--eval", text], { stdio: "inherit" });
      const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
      const [code] = (await once(child, "exit")) as [number | null];
      clearTimeout(timer);
      assert.equal(code, 0);
    });
  }
});
