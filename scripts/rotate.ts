// SPDX-License-Identifier: Apache-2.0
import { access } from "node:fs/promises";
import { createKeyFile, openKeyFile, type ParticipantKeys, readPassphrase, rotatedKeys } from "../src/chain/keys.ts";
import { toHex } from "../src/protocol/bytes.ts";
import { ConfigError } from "../src/protocol/errors.ts";
import { chainScript, type NetworkOptions, runScript, withFederation } from "./lib/script.ts";

interface Options extends NetworkOptions {
  readonly out: string;
  readonly signer?: boolean;
  readonly encryption?: boolean;
  readonly light?: boolean;
}

const command = chainScript(
  "rotate",
  "Replaces a participant's own keys: writes a new key file, then tells the registry. Members' new keys act two openings later, so keep the old " +
    "file until then. The new file keeps old decryption keys, which audits of old rounds need.",
  [
    "--network localhost --key-file keys/hospital.json --encryption --out keys/hospital-2.json",
    "--rpc https://chain.example --key-file keys/v1.json --signer --encryption --out keys/v1-2.json",
  ],
)
  .requiredOption(
    "--out <file>",
    "new key file; if it exists from an interrupted rotation of the same keys, that is completed",
  )
  .option("--signer", "replace the signing key (the new address needs coin for gas where gas costs)")
  .option("--encryption", "replace the decryption key")
  .option("--light", "cheap key derivation: for development chains only");

await runScript<Options>(command, async (options) => {
  if (options.keyFile === undefined)
    throw new ConfigError("Name the key file whose keys are to be replaced: --key-file FILE.");
  if (options.signer !== true && options.encryption !== true)
    throw new ConfigError("Say what to replace: --signer, --encryption, or both.");
  const passphrase = await readPassphrase({ file: options.passphraseFile });
  const old = await openKeyFile(options.keyFile, passphrase);
  // On disk before on chain: keys that only the registry knows would be lost keys.
  const next = await preparedKeys(options, old, passphrase);
  return await withFederation(options, async (administration) => {
    const encryptionKey = toHex(next.encryptionPublicKey);
    const { role, id, receipt } = await administration.rotateKeys({ signer: next.address, encryptionKey });
    return {
      json: { role, id, file: options.out, signer: next.address, encryptionKey, ...receipt },
      text: [
        `${role} ${id}: signer ${next.address}, encryption key ${encryptionKey}`,
        `by transaction ${receipt?.transaction} in block ${receipt?.block}; new keys in ${options.out}`,
      ],
    };
  });
});

async function preparedKeys(options: Options, old: ParticipantKeys, passphrase: string): Promise<ParticipantKeys> {
  const interrupted = await access(options.out).then(
    () => true,
    () => false,
  );
  if (!interrupted) {
    const keys = rotatedKeys(old, { signer: options.signer === true, encryption: options.encryption === true });
    return await createKeyFile(options.out, passphrase, { keys, cost: options.light === true ? "light" : "standard" });
  }
  const prepared = await openKeyFile(options.out, passphrase);
  const same =
    toHex(prepared.beaconSecret) === toHex(old.beaconSecret) &&
    (prepared.address !== old.address) === (options.signer === true) &&
    (toHex(prepared.encryptionPublicKey) !== toHex(old.encryptionPublicKey)) === (options.encryption === true);
  if (!same)
    throw new ConfigError(
      `${options.out} exists and is not a rotation of ${options.keyFile} as asked for. Choose another --out.`,
    );
  return prepared;
}
