// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ChainEndpoint } from "../../src/chain/chainEndpoint.ts";
import { CONSORTIUM, PROOF_VERIFIER } from "../../src/chain/contracts.ts";
import { type DeployOptions, deployFederation } from "../../src/chain/deploy.ts";
import type { DevelopmentAccount } from "../../src/chain/developmentAccounts.ts";
import { type EmbeddedChain, startEmbeddedChain } from "../../src/chain/embeddedChain.ts";
import { LedgerRevert } from "../../src/chain/errors.ts";
import { connectLedger } from "../../src/chain/ledgerClient.ts";
import { ConfigError } from "../../src/protocol/errors.ts";
import { word } from "./support/federation.ts";

function options(endpoint: ChainEndpoint, accounts: readonly DevelopmentAccount[]): DeployOptions {
  const [deployer, admin, ...validators] = accounts as [
    DevelopmentAccount,
    DevelopmentAccount,
    ...DevelopmentAccount[],
  ];
  return {
    endpoint,
    deployerKey: deployer.privateKey,
    admin: admin.address,
    validators: validators.map(({ address }) => ({ signer: address, encryptionKey: word(address) })),
  };
}

describe("deploying a federation", () => {
  let chain: EmbeddedChain;
  let endpoint: ChainEndpoint;

  before(async () => {
    chain = await startEmbeddedChain({ accounts: 6, blockMs: 40 });
    endpoint = await ChainEndpoint.connect({ rpcUrl: chain.rpcUrl, pollingMs: 10 });
  });
  after(async () => {
    endpoint.close();
    await chain.stop();
  });

  it("gives contracts that name each other, the validators, the admin, and verifiers of each capacity", async () => {
    const deployment = await deployFederation(options(endpoint, chain.accounts));
    assert.equal(deployment.chainId, 31337n);
    assert.equal(deployment.token, undefined);
    assert.ok(deployment.blocks.first > 0 && deployment.blocks.last >= deployment.blocks.first);
    // connectLedger checks the wiring.
    const ledger = await connectLedger({ endpoint, addresses: deployment.addresses });
    const { validators } = await ledger.validatorSet(1);
    assert.deepEqual(
      validators.map(({ signer }) => signer),
      chain.accounts.slice(2).map(({ address }) => address),
    );
    const isAdmin = async (account: DevelopmentAccount | undefined) =>
      await endpoint.view({
        codec: CONSORTIUM,
        to: deployment.addresses.consortium,
        functionName: "isAdmin",
        args: [account?.address],
      });
    assert.deepEqual([await isAdmin(chain.accounts[0]), await isAdmin(chain.accounts[1])], [false, true]);
    assert.deepEqual(Object.keys(deployment.verifiers), ["8", "32"]);
    for (const [capacity, to] of Object.entries(deployment.verifiers)) {
      const found = await endpoint.view({ codec: PROOF_VERIFIER, to, functionName: "capacity", args: [] });
      assert.equal(found, BigInt(capacity));
    }
  });

  it("can be repeated with the same key: another federation", async () => {
    const [one, two] = [
      await deployFederation({ ...options(endpoint, chain.accounts), verifierCapacities: [] }),
      await deployFederation({ ...options(endpoint, chain.accounts), verifierCapacities: [8], developmentToken: true }),
    ];
    assert.notEqual(one.addresses.consortium, two.addresses.consortium);
    assert.deepEqual([Object.keys(one.verifiers), Object.keys(two.verifiers)], [[], ["8"]]);
    assert.notEqual(two.token, undefined);
    await connectLedger({ endpoint, addresses: two.addresses });
    await assert.rejects(
      connectLedger({ endpoint, addresses: { ...two.addresses, consortium: one.addresses.consortium } }),
      /belongs to another consortium/,
    );
  });

  it("passes on why a constructor refuses", async () => {
    const alike = options(endpoint, chain.accounts);
    const [first] = alike.validators;
    assert.ok(first !== undefined);
    await assert.rejects(deployFederation({ ...alike, validators: [first, first] }), (error: unknown) => {
      assert.ok(error instanceof LedgerRevert, String(error));
      assert.equal(error.error, "ConsortiumSignerTaken");
      assert.equal(error.args["signer"], first.signer);
      return true;
    });
    await assert.rejects(
      deployFederation({ ...alike, validators: [] }),
      (error: unknown) => error instanceof LedgerRevert && error.error === "ConsortiumNoValidators",
    );
  });

  it("names the circuits that are not compiled", async () => {
    await assert.rejects(
      deployFederation({ ...options(endpoint, chain.accounts), verifierCapacities: [9] }),
      (error: unknown) => error instanceof ConfigError && error.message.includes("ReportedLoss9"),
    );
    await assert.rejects(
      deployFederation({ ...options(endpoint, chain.accounts), artifacts: "/nowhere" }),
      /npx hardhat build/,
    );
  });
});

describe("deploying on a chain that is not a development chain", () => {
  it("refuses development keys and tokens before it sends anything", async () => {
    const chain = await startEmbeddedChain({ accounts: 6, blockMs: 40, chainId: 4242 });
    const endpoint = await ChainEndpoint.connect({ rpcUrl: chain.rpcUrl, pollingMs: 10 });
    try {
      const given = options(endpoint, chain.accounts);
      await assert.rejects(deployFederation(given), (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, /ReportedLoss8, ReportedLoss32.*4242.*ceremony/);
        return true;
      });
      await assert.rejects(
        deployFederation({ ...given, verifierCapacities: [], developmentToken: true }),
        /development token.*4242/,
      );
      const sent = await endpoint.rpc.request("eth_getTransactionCount", [chain.accounts[0]?.address, "pending"]);
      assert.equal(sent, "0x0");
      const deployment = await deployFederation({ ...given, verifierCapacities: [] });
      assert.equal(deployment.chainId, 4242n);
    } finally {
      endpoint.close();
      await chain.stop();
    }
  });
});
