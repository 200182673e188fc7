// SPDX-License-Identifier: Apache-2.0
import { formatEther, parseEther } from "ethers";
import { isDevelopmentChain } from "../src/chain/developmentAccounts.ts";
import { ConfigError } from "../src/protocol/errors.ts";
import {
  addressOption,
  chainScript,
  type NetworkOptions,
  runScript,
  wholeUnits,
  withFederation,
} from "./lib/script.ts";

interface Options extends NetworkOptions {
  readonly to?: string;
  readonly coin?: string;
  readonly token?: string;
  readonly mint?: bigint;
  readonly approve?: bigint;
}

const command = chainScript(
  "fund",
  "Gives participants coin for gas, and the sponsor of a run tokens for its pool; then shows the balances. Without amounts it only shows them.",
  [
    "--network localhost --to 0x… --coin 10",
    "--network localhost --mint 1000000 --approve 1000000   # development token, sender is the sponsor",
  ],
)
  .option("--to <address>", "who receives coin and minted tokens (default: the sender)", addressOption)
  .option("--coin <amount>", "chain coin to send, decimal, in units of 10^18")
  .option("--token <address>", "ERC-20 (default: the deployment's development token)", addressOption)
  .option("--mint <amount>", "development tokens to make, in the smallest unit", wholeUnits)
  .option("--approve <amount>", "what ShapleyRewards may take from the sender, in the smallest unit", wholeUnits);

await runScript<Options>(command, async (options) => {
  return await withFederation(options, async (administration, deployment, { endpoint }) => {
    const to = options.to ?? administration.account;
    const token = options.token ?? deployment.token;
    if (options.coin !== undefined) await administration.sendCoin(to, coinAmount(options.coin));
    if (options.mint !== undefined) {
      if (!isDevelopmentChain(endpoint.chainId))
        throw new ConfigError(`Tokens are minted on development chains only; this is chain ${endpoint.chainId}.`);
      await administration.mint(requireToken(token), to, options.mint);
    }
    if (options.approve !== undefined) await administration.approve(requireToken(token), options.approve);
    const coin = await endpoint.balanceOf(to);
    const state = token === undefined ? undefined : await administration.tokenState(token, to);
    return {
      json: { account: to, coin, ...(token === undefined ? {} : { token, ...state }) },
      text: [
        `${to} has ${formatEther(coin)} of the chain's coin`,
        ...(state === undefined
          ? []
          : [`${state.balance} units of ${token}, of which ShapleyRewards may take ${state.allowance}`]),
      ],
    };
  });
});

function requireToken(token: string | undefined): string {
  if (token === undefined) throw new ConfigError("This deployment has no development token; name one with --token.");
  return token;
}

function coinAmount(text: string): bigint {
  if (!/^[0-9]{1,12}(?:\.[0-9]{1,18})?$/.test(text))
    throw new ConfigError(`"${text}" is not an amount of coin; write a decimal such as 0.5.`);
  return parseEther(text);
}
