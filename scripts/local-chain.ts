// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { startEmbeddedChain } from "../src/chain/embeddedChain.ts";
import { naturalNumber, positiveNumber, runScript, script } from "./lib/script.ts";

interface Options {
  readonly port: number;
  readonly blockMs: number;
  readonly accounts: number;
  readonly json?: boolean;
}

const command = script(
  "local-chain",
  "Serves a development chain on loopback until it is interrupted: blocks at a fixed rate, the accounts of `hardhat node`, everything in memory.",
  ["", "--port 8546 --block-ms 1000"],
)
  .option("--port <number>", "port, 0 for any free one", naturalNumber, 8545)
  .option("--block-ms <number>", "milliseconds between blocks", positiveNumber, 200)
  .option("--accounts <number>", "funded accounts", positiveNumber, 20);

await runScript<Options>(command, async ({ port, blockMs, accounts }) => {
  const chain = await startEmbeddedChain({ port, blockMs, accounts });
  process.stderr.write(`Chain ${chain.chainId} at ${chain.rpcUrl}, a block every ${blockMs} ms. Ctrl-C ends it.\n`);
  // The chain's process does not keep this one alive.
  const alive = setInterval(() => {}, 60_000);
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  clearInterval(alive);
  await chain.stop();
  return { json: { rpcUrl: chain.rpcUrl, chainId: chain.chainId, stopped: true }, text: ["Chain ended."] };
});
