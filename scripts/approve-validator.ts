// SPDX-License-Identifier: Apache-2.0
import type { ValidatorChange } from "../src/chain/administration.ts";
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
  readonly remove?: number;
}

const command = chainScript(
  "approve-validator",
  "Approves a change of the validator set, as one of its validators. The change is made with the q-th approval of the same change.",
  [
    "--network localhost --key-file keys/v1.json --keys keys/v5.json",
    "--network localhost --key-file keys/v1.json --remove 3",
  ],
)
  .option("--keys <file>", "key file of the validator to add (public part)")
  .option("--signer <address>", "its signing address, instead of --keys", addressOption)
  .option("--encryption-key <word>", "its X25519 public key, instead of --keys", wordOption)
  .option("--remove <id>", "id of the validator to remove, instead of adding one", positiveNumber);

await runScript<Options>(command, async (options) => {
  const change = await changeOf(options);
  return await withFederation(options, async (administration) => {
    const { executed, approvals, quorum, receipt } = await administration.approveValidatorChange(change);
    return {
      json: { change, executed, approvals, quorum, ...receipt },
      text: [
        executed ? `${approvals} of ${quorum} approvals: the change is made.` : `${approvals} of ${quorum} approvals.`,
      ],
    };
  });
});

async function changeOf(options: Options): Promise<ValidatorChange> {
  if (options.remove === undefined) return { add: await publicKeysFrom(options) };
  if (options.keys !== undefined || options.signer !== undefined || options.encryptionKey !== undefined) {
    throw new ConfigError("Either add a validator (--keys, or --signer and --encryption-key) or --remove one.");
  }
  return { remove: options.remove };
}
