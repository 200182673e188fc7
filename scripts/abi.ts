// SPDX-License-Identifier: Apache-2.0
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { readArtifact } from "../src/chain/artifacts.ts";
import { abiModule, CLIENT_CONTRACTS } from "./lib/abiModule.ts";

const TARGET = fileURLToPath(new URL("../src/chain/abi.generated.ts", import.meta.url));

const program = new Command("abi")
  .description("Writes src/chain/abi.generated.ts from the compiled contracts, so that clients need no compiler.")
  .option("--artifacts <folder>", "Hardhat's artifacts", fileURLToPath(new URL("../artifacts", import.meta.url)))
  .addHelpText("after", "\nExample:\n  npx hardhat build && node scripts/abi.ts\n");

program.parse();
const { artifacts } = program.opts<{ artifacts: string }>();
const contracts = await Promise.all(
  CLIENT_CONTRACTS.map(async (name) => [name, (await readArtifact(name, artifacts)).abi] as const),
);
await writeFile(TARGET, abiModule(contracts));
process.stderr.write(`Wrote ${TARGET}\n`);
