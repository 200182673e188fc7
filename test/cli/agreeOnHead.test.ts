// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { agreeOnHead } from "../../src/cli/agreeOnHead.ts";
import { ConfigError, FoedusError } from "../../src/protocol/errors.ts";
import type { LedgerReader, RoundRecord } from "../../src/protocol/ledger.ts";

const RPC = ["http://a.example/secret-key", "http://b.example"];

/** What an endpoint tells of a run: heads by round, undefined where a round failed. */
function endpoint(
  heads: readonly (string | undefined)[],
  options: { chainId?: bigint; behindForBlocks?: number } = {},
): LedgerReader {
  let block = 0;
  const known = (): readonly (string | undefined)[] =>
    block < (options.behindForBlocks ?? 0) ? heads.slice(0, 1) : heads;
  const reader: Partial<LedgerReader> = {
    chainId: options.chainId ?? 1n,
    addresses: { consortium: "0xc", trainingLedger: "0xt", proofOfTraining: "0xp", shapleyRewards: "0xs" },
    blockNumber: async () => block,
    waitForBlockAfter: async () => ++block,
    runView: async () => {
      block++;
      return { lastRound: known().length - 1 } as Awaited<ReturnType<LedgerReader["runView"]>>;
    },
    recordOf: async (_run, round) => {
      const head = known()[round];
      return head === undefined ? undefined : ({ head } as RoundRecord);
    },
  };
  return reader as LedgerReader;
}

const HONEST = ["0xh0", "0xh1", undefined, "0xh3"];
const ask = (a: LedgerReader, b: LedgerReader, round?: number) => agreeOnHead([a, b], { run: 1n, round, rpc: RPC });
const fails = (code: string, exitCode: number) => (error: unknown) =>
  error instanceof FoedusError && error.code === code && error.exitCode === exitCode;

describe("agreeOnHead", () => {
  it("gives the last finalised head that both name", async () => {
    assert.equal(await ask(endpoint(HONEST), endpoint(HONEST)), "0xh3");
    assert.equal(await ask(endpoint(HONEST), endpoint([...HONEST, "0xh4"])), "0xh3", "the second may be ahead");
    assert.equal(await ask(endpoint(HONEST), endpoint(HONEST), 2), "0xh1", "round 2 failed");
    assert.equal(await ask(endpoint(["0xh0"]), endpoint(["0xh0"])), "0xh0", "genesis");
  });

  it("says nothing with one endpoint", async () => {
    assert.equal(await agreeOnHead([endpoint(HONEST)], { run: 1n, rpc: RPC }), undefined);
  });

  it("fails when they name different heads, and shows no secret of their URLs", async () => {
    await assert.rejects(ask(endpoint(HONEST), endpoint(["0xh0", "0xh1", undefined, "0xh3'"])), (error: unknown) => {
      assert.ok(fails("ENDPOINTS_DISAGREE", 1)(error));
      const { message } = error as Error;
      assert.match(
        message,
        /For round 3 of run 1, http:\/\/a\.example\/… names the head 0xh3 and http:\/\/b\.example names 0xh3'/,
      );
      assert.doesNotMatch(message, /secret-key/);
      return true;
    });
  });

  it("waits for one that is behind, and not for ever", async () => {
    assert.equal(await ask(endpoint(HONEST), endpoint(HONEST, { behindForBlocks: 5 })), "0xh3");
    await assert.rejects(ask(endpoint(HONEST), endpoint(["0xh0", "0xh1"])), fails("ENDPOINT_BEHIND", 3));
    await assert.rejects(
      ask(endpoint(HONEST), endpoint(["0xh0", "0xh1", undefined, undefined])),
      fails("ENDPOINT_BEHIND", 3),
    );
  });

  it("refuses endpoints of different chains", async () => {
    await assert.rejects(ask(endpoint(HONEST), endpoint(HONEST, { chainId: 2n })), ConfigError);
  });
});
