// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ChainEndpoint } from "../../src/chain/chainEndpoint.ts";
import { connectLedger } from "../../src/chain/ledgerClient.ts";
import type { RpcLedgerReader } from "../../src/chain/ledgerReader.ts";
import { DecodeError } from "../../src/protocol/errors.ts";
import { type Federation, openRun, playRound, startFederation, word } from "./support/federation.ts";
import { answer, type RpcProxy, type RpcRequest, startProxy } from "./support/proxy.ts";

type Log = {
  address: string;
  topics: string[];
  data: string;
  blockNumber: string;
  logIndex: string;
  blockHash: string;
  transactionHash: string;
};

/** What a lie does to the logs that the chain really has. */
type LogLie = (logs: Log[]) => unknown;

const at = (logs: Log[], index: number): Log => {
  const log = logs[index];
  assert.ok(log !== undefined, "the lie needs more logs");
  return log;
};
const replaced = (logs: Log[], index: number, change: Partial<Log>): Log[] =>
  logs.map((log, i) => (i === index ? { ...log, ...change } : log));
const withWord = (data: string, index: number, word: string): string =>
  `${data.slice(0, 2 + 64 * index)}${word}${data.slice(2 + 64 * (index + 1))}`;
const plusOne = (quantity: string): string => `0x${(BigInt(quantity) + 1n).toString(16)}`;

const LOG_LIES: Record<string, LogLie> = {
  "not a list": () => ({ logs: [] }),
  "null in the list": (logs) => [...logs, null],
  "of another contract": (logs) => replaced(logs, 0, { address: `0x${"12".repeat(20)}` }),
  "of another event": (logs) => replaced(logs, 0, { topics: [word("event"), ...at(logs, 0).topics.slice(1)] }),
  "of another run": (logs) =>
    replaced(logs, 0, { topics: at(logs, 0).topics.map((topic, i) => (i === 1 ? word("run") : topic)) }),
  "a topic missing": (logs) => replaced(logs, 0, { topics: at(logs, 0).topics.slice(0, 3) }),
  "before the round": (logs) => replaced(logs, 0, { blockNumber: "0x1" }),
  "after the height": (logs) => replaced(logs, 0, { blockNumber: "0xffffff" }),
  "a block number beyond safe integers": (logs) => replaced(logs, 0, { blockNumber: "0xffffffffffffffff" }),
  "a block number that is a number": (logs) => replaced(logs, 0, { blockNumber: 3 as unknown as string }),
  "pending, without a block": (logs) => replaced(logs, 0, { blockNumber: null as unknown as string }),
  "data cut short": (logs) => replaced(logs, 0, { data: at(logs, 0).data.slice(0, -64) }),
  "data with more behind it": (logs) => replaced(logs, 0, { data: `${at(logs, 0).data}${"00".repeat(32)}` }),
  "data of half a byte": (logs) => replaced(logs, 0, { data: `${at(logs, 0).data}0` }),
  "a value beyond its type": (logs) => replaced(logs, 0, { data: `0xff${at(logs, 0).data.slice(4)}` }),
  // Word 6 of the data is where the signature begins.
  "an offset that points outside": (logs) => replaced(logs, 0, { data: withWord(at(logs, 0).data, 6, "f".repeat(64)) }),
  "two versions of a log": (logs) => [...logs, { ...at(logs, 0), data: at(logs, 1).data }],
  "two versions of a block": (logs) => [
    ...logs,
    { ...at(logs, 0), logIndex: plusOne(at(logs, 0).logIndex), blockHash: word("other") },
  ],
  "one left out in the middle": (logs) => logs.filter((_, i) => i !== 1),
};

const CALL_LIES: Record<string, (result: string) => unknown> = {
  nothing: () => "0x",
  null: () => null,
  "an object": () => ({ result: "0x" }),
  "cut short": (result) => result.slice(0, -64),
  "with more behind it": (result) => `${result}${"00".repeat(32)}`,
  "with excess bits in a number": (result) => `0xff${result.slice(4)}`,
  "not hexadecimal": (result) => result.replace(/.$/, "g"),
};

const TRANSPORT_LIES: Record<string, (request: RpcRequest) => { body: string; status?: number }> = {
  "a page of HTML": () => ({ body: "<html><body>It works!</body></html>" }),
  "an empty body": () => ({ body: "" }),
  "a number": () => ({ body: "7" }),
  "a response to another request": (request) => ({
    body: JSON.stringify({ jsonrpc: "2.0", id: request.id + 1, result: "0x1" }),
  }),
  "neither result nor error": (request) => ({ body: JSON.stringify({ jsonrpc: "2.0", id: request.id }) }),
};

describe("an endpoint that lies", () => {
  let federation: Federation;
  let proxy: RpcProxy;
  let ledger: RpcLedgerReader;
  let run: bigint;
  let round: number;

  before(async () => {
    federation = await startFederation();
    ({ run } = await openRun(federation));
    ({ round } = await playRound(federation, run));
    proxy = await startProxy(federation.chain.rpcUrl);
    const endpoint = await ChainEndpoint.connect({ rpcUrl: proxy.url, patienceMs: 0 });
    ledger = await connectLedger({ endpoint, addresses: federation.deployment.addresses });
  });
  after(async () => {
    ledger.close();
    await proxy.close();
    await federation.stop();
  });
  beforeEach(() => {
    proxy.intercept = () => undefined;
  });

  const lieAboutLogs = (lie: LogLie) => {
    proxy.intercept = async (request, forward) => {
      if (request.method !== "eth_getLogs") return undefined;
      return answer(request, lie((await forward())["result"] as Log[]));
    };
  };
  const decodeError = (error: unknown): boolean => {
    assert.ok(error instanceof DecodeError, `${String(error)} is not a DecodeError`);
    assert.equal(error.exitCode, 1);
    return true;
  };

  it("is believed while it tells the truth", async () => {
    assert.equal((await ledger.commits(run, round)).length, 4);
    assert.equal((await ledger.finalised(run, round))?.result.round, round);
  });

  for (const [name, lie] of Object.entries(LOG_LIES)) {
    it(`about logs: ${name}`, async () => {
      lieAboutLogs(lie);
      await assert.rejects(ledger.commits(run, round), decodeError);
    });
  }

  it("about logs: a validator that judged twice", async () => {
    lieAboutLogs((logs) => [...logs, { ...at(logs, 0), blockNumber: at(logs, 0).blockNumber, logIndex: "0x63" }]);
    await assert.rejects(ledger.verdicts(run, round), decodeError);
    await assert.rejects(ledger.attestations(run, round), decodeError);
  });

  it("about logs: a round finalised twice", async () => {
    lieAboutLogs((logs) => [...logs, { ...at(logs, 0), logIndex: "0x63" }]);
    await assert.rejects(ledger.finalised(run, round), decodeError);
  });

  it("counts a log that comes twice once, leaves out removed ones, and orders them all", async () => {
    const honest = await ledger.commits(run, round);
    lieAboutLogs((logs) => [...logs.toReversed(), ...logs, { ...at(logs, 0), logIndex: "0x63", removed: true }]);
    assert.deepEqual(await ledger.commits(run, round), honest);
  });

  for (const [name, lie] of Object.entries(CALL_LIES)) {
    it(`about a view: ${name}`, async () => {
      proxy.intercept = async (request, forward) => {
        if (request.method !== "eth_call") return undefined;
        return answer(request, lie((await forward())["result"] as string));
      };
      await assert.rejects(ledger.roundView(run, round), decodeError);
      await assert.rejects(ledger.runView(run), decodeError);
    });
  }

  it("about a view: each word of a round set to its largest value, and the whole is refused or a different round", async () => {
    const honest = await ledger.roundView(run, round);
    let refused = 0;
    for (let index = 0; index < 30; index++) {
      proxy.intercept = async (request, forward) => {
        if (request.method !== "eth_call") return undefined;
        const result = (await forward())["result"] as string;
        return answer(request, withWord(result, index, "f".repeat(64)));
      };
      try {
        assert.notDeepEqual(await ledger.roundView(run, round), honest, `word ${index}`);
      } catch (error) {
        decodeError(error);
        refused++;
      }
    }
    // All but the two hashes, which can be anything.
    assert.equal(refused, 28);
  });

  it("about a run's parameters, which its digest binds", async () => {
    const fresh = await connectLedger({
      endpoint: await ChainEndpoint.connect({ rpcUrl: proxy.url }),
      addresses: federation.deployment.addresses,
    });
    try {
      let calls = 0;
      proxy.intercept = async (request, forward) => {
        if (request.method !== "eth_call" || ++calls !== 2) return undefined;
        // Word 5 is `rounds`.
        return answer(request, withWord((await forward())["result"] as string, 5, "7".padStart(64, "0")));
      };
      await assert.rejects(
        fresh.runView(run),
        (error) => decodeError(error) && /parameters/.test((error as Error).message),
      );
    } finally {
      fresh.close();
    }
  });

  it("about the validator set, which its digest binds", async () => {
    proxy.intercept = async (request, forward) => {
      if (request.method !== "eth_call") return undefined;
      const result = (await forward())["result"] as string;
      return answer(
        request,
        result.length > 66 ? result.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")) : result,
      );
    };
    await assert.rejects(ledger.validatorSet(1), decodeError);
  });

  for (const [name, lie] of Object.entries(TRANSPORT_LIES)) {
    it(`in its envelope: ${name}`, async () => {
      proxy.intercept = (request) => lie(request);
      await assert.rejects(ledger.blockNumber(), decodeError);
    });
  }

  for (const height of ["0x", "0xg", 12, "latest", "0xffffffffffffffff", null]) {
    it(`about the height: ${JSON.stringify(height)}`, async () => {
      proxy.intercept = (request) => answer(request, height);
      await assert.rejects(ledger.blockNumber(), decodeError);
    });
  }

  it("reads only so many bytes of an answer", async () => {
    const { JsonRpc } = await import("../../src/chain/jsonRpc.ts");
    proxy.intercept = (request) => answer(request, "x".repeat(5000));
    await assert.rejects(new JsonRpc({ url: proxy.url, maxBytes: 4000 }).request("eth_blockNumber", []), decodeError);
  });
});
