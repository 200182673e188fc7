// SPDX-License-Identifier: Apache-2.0
import { Argument } from "commander";
import type { Hex } from "../src/protocol/bytes.ts";
import { ConfigError } from "../src/protocol/errors.ts";
import { publicKeysFrom } from "./lib/publicKeys.ts";
import {
  addressOption,
  chainScript,
  type NetworkOptions,
  positiveNumber,
  runScript,
  withFederation,
  wordOption,
} from "./lib/script.ts";

interface Options extends NetworkOptions {
  readonly keys?: string;
  readonly signer?: string;
  readonly encryptionKey?: Hex;
  readonly name?: string;
  readonly maxSamples?: number;
}

const command = chainScript(
  "admit",
  "Admits a member or an auditor (admin). Validators join by scripts/approve-validator.ts.",
  [
    "member --network localhost --keys keys/hospital.json --name 'City hospital' --max-samples 50000",
    "auditor --network localhost --signer 0x… --encryption-key 0x…",
  ],
)
  .addArgument(new Argument("<role>", "what to admit").choices(["member", "auditor"]))
  .option("--keys <file>", "key file of the participant (public part)")
  .option("--signer <address>", "its signing address, instead of --keys", addressOption)
  .option("--encryption-key <word>", "its X25519 public key, instead of --keys", wordOption)
  .option("--name <text>", "name of the member, for people")
  .option("--max-samples <number>", "most samples the member may state in a commit", positiveNumber);

await runScript<Options>(command, async (options, [role]) => {
  const keys = await publicKeysFrom(options);
  return await withFederation(options, async (admin) => {
    const { id, receipt } = role === "member" ? await admitMember() : await admitAuditor();
    return {
      json: { role, id, ...keys, already: receipt === undefined, ...(receipt ?? {}) },
      text: [
        receipt === undefined
          ? `${keys.signer} is ${role} ${id} already.`
          : `${keys.signer} is ${role} ${id}, by transaction ${receipt.transaction} in block ${receipt.block}.`,
      ],
    };

    async function admitMember() {
      const { name, maxSamples } = options;
      if (name === undefined || maxSamples === undefined)
        throw new ConfigError("A member needs --name and --max-samples.");
      const { memberId, receipt } = await admin.admitMember({ ...keys, name, maxSamples });
      return { id: memberId, receipt };
    }
    async function admitAuditor() {
      const { auditorId, receipt } = await admin.admitAuditor(keys);
      return { id: auditorId, receipt };
    }
  });
});
