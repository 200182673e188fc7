// SPDX-License-Identifier: Apache-2.0
// The process behind `startEmbeddedChain`: takes its settings from the parent, serves a Hardhat network on loopback, ends with the parent.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";

export interface EmbeddedChainSettings {
  readonly port: number;
  readonly blockMs: number;
  readonly chainId: number;
  readonly privateKeys: readonly string[];
}

export type EmbeddedChainMessage = { readonly port: number } | { readonly error: string };

const PROJECT_ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BALANCE_WEI = 10_000n * 10n ** 18n;

async function serve(settings: EmbeddedChainSettings): Promise<number> {
  // Hardhat reads all build infos below `artifacts` to decode stack traces, which takes seconds; a folder that does not exist has none.
  const nowhere = join(PROJECT_ROOT, "build", "embedded-chain");
  const environment = await createHardhatRuntimeEnvironment(
    {
      paths: { artifacts: join(nowhere, "artifacts"), cache: join(nowhere, "cache") },
      networks: {
        chain: {
          type: "edr-simulated",
          chainId: settings.chainId,
          accounts: settings.privateKeys.map((privateKey) => ({ privateKey, balance: BALANCE_WEI })),
          // Automatic mining makes no block without a transaction, and deadlines would never come.
          mining: { auto: false, interval: settings.blockMs, mempool: { order: "fifo" } },
          allowBlocksWithSameTimestamp: true,
          // Like any other chain: a reverting transaction is mined and its receipt says so.
          throwOnTransactionFailures: false,
          loggingEnabled: false,
        },
      },
    },
    {},
    PROJECT_ROOT,
  );
  const server = await environment.network.createServer("chain", "127.0.0.1", settings.port);
  return (await server.listen()).port;
}

process.once("disconnect", () => process.exit(0));
// Ctrl-C reaches the whole process group; the parent decides when the chain ends.
process.on("SIGINT", () => {});
process.once("message", (settings: EmbeddedChainSettings) => {
  serve(settings).then(
    (port) => process.send?.({ port } satisfies EmbeddedChainMessage),
    (cause: unknown) => {
      const error = cause instanceof Error ? cause.message : String(cause);
      process.send?.({ error } satisfies EmbeddedChainMessage, () => process.exit(1));
    },
  );
});
