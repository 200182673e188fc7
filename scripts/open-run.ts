// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../src/protocol/errors.ts";
import { readRunRequest, runParams } from "./lib/runRequest.ts";
import { chainScript, type NetworkOptions, runScript, withFederation } from "./lib/script.ts";

const command = chainScript(
  "open-run",
  "Opens a training run (admin) from the JSON file that `foedus run prepare` wrote, which names the recipe, the initial checkpoint and the run's " +
    "parameters. Approves the pool to ShapleyRewards first, exactly.",
  ["run.json --network localhost", "run.json --rpc https://chain.example --key-file keys/admin.json"],
).argument("<file>", "run file");

await runScript<NetworkOptions>(command, async (options, [file]) => {
  const request = await readRunRequest(file as string);
  return await withFederation(options, async (administration, deployment) => {
    const params = runParams(request, deployment);
    if (params.pool > 0n) {
      const { balance, allowance } = await administration.tokenState(params.token);
      if (balance < params.pool) {
        throw new ConfigError(
          `${administration.account} has ${balance} units of the token ${params.token}; the pool takes ${params.pool}. See scripts/fund.ts.`,
          {
            balance,
            pool: params.pool,
          },
        );
      }
      if (allowance < params.pool) await administration.approve(params.token, params.pool);
    }
    const { run, genesisHead, paramsDigest, receipt } = await administration.openRun(params);
    return {
      json: { run, genesisHead, paramsDigest, ...receipt },
      text: [
        `run ${run}`,
        `genesis head   ${genesisHead}`,
        `params digest  ${paramsDigest}`,
        `transaction    ${receipt.transaction} in block ${receipt.block}`,
      ],
    };
  });
});
