// SPDX-License-Identifier: Apache-2.0
import { Argument } from "commander";
import type { RoleName } from "../src/chain/administration.ts";
import { chainScript, type NetworkOptions, positiveNumber, runScript, withFederation } from "./lib/script.ts";

const command = chainScript(
  "suspend",
  "Suspends a participant at once, or reinstates it (admin). Rounds keep their n and q.",
  ["member 3 --network localhost", "validator 2 --lift --network localhost"],
)
  .addArgument(new Argument("<role>", "role of the participant").choices(["member", "validator", "auditor"]))
  .argument("<id>", "its id", positiveNumber)
  .option("--lift", "reinstate it");

await runScript<NetworkOptions & { lift?: boolean }>(command, async (options) => {
  const [role, id] = command.processedArgs as [RoleName, number];
  return await withFederation(options, async (admin) => {
    const suspended = options.lift !== true;
    const { receipt } = await admin.setSuspended(role, id, suspended);
    const state = suspended ? "suspended" : "not suspended";
    return {
      json: { role, id, suspended, already: receipt === undefined, ...(receipt ?? {}) },
      text: [
        `${role} ${id} is ${state}${receipt === undefined ? " already" : `, by transaction ${receipt.transaction} in block ${receipt.block}`}.`,
      ],
    };
  });
});
