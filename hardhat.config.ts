// SPDX-License-Identifier: Apache-2.0
import { createRequire } from "node:module";
import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import { configVariable, defineConfig } from "hardhat/config";

const require = createRequire(import.meta.url);

export default defineConfig({
  plugins: [hardhatEthers],
  solidity: {
    version: "0.8.37",
    // The compiler comes from npm, so that compiling needs no download.
    path: require.resolve("solc/soljson.js"),
    settings: { optimizer: { enabled: true, runs: 1000 }, evmVersion: "cancun", viaIR: true },
  },
  // Networks of the scripts (`--network NAME`). Variables come from the environment, or from Hardhat's keystore where its plugin is installed.
  networks: {
    // `npx hardhat node`, Anvil, or scripts/local-chain.ts: all fund these accounts.
    localhost: {
      type: "http",
      url: "http://127.0.0.1:8545",
      accounts: { mnemonic: "test test test test test test test test test test test junk" },
    },
    // A consortium's own chain. Without accounts here, the scripts take an encrypted key file (`--key-file`).
    consortium: {
      type: "http",
      url: configVariable("FOEDUS_RPC_URL"),
      accounts: [configVariable("FOEDUS_ADMIN_KEY")],
    },
  },
});
