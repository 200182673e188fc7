// SPDX-License-Identifier: Apache-2.0
import { createKeyFile, generateKeys, readPassphrase, type ScryptCost } from "../src/chain/keys.ts";
import type { Hex } from "../src/protocol/bytes.ts";
import { toHex } from "../src/protocol/bytes.ts";
import { ConfigError } from "../src/protocol/errors.ts";
import { runScript, script } from "./lib/script.ts";

interface Options {
  readonly out: string;
  readonly passphraseFile?: string;
  readonly signerVariable?: string;
  readonly light?: boolean;
  readonly json?: boolean;
}

const command = script(
  "keygen",
  "Makes a participant's keys and writes them to an encrypted file. Only public keys are printed.",
  [
    "--out keys/hospital.json --passphrase-file secrets/hospital.txt",
    "--out keys/admin.json --signer-variable ADMIN_PRIVATE_KEY   # keep a funded account",
  ],
)
  .requiredOption("--out <file>", "key file to create; an existing one is never overwritten")
  .option(
    "--passphrase-file <file>",
    "file whose first line is the passphrase; default: the variable FOEDUS_PASSPHRASE",
  )
  .option("--signer-variable <name>", "environment variable with an existing private key to use as the signer")
  .option("--light", "cheap key derivation: for development chains only");

await runScript<Options>(command, async (options) => {
  const passphrase = await readPassphrase({ file: options.passphraseFile });
  const cost: ScryptCost = options.light === true ? "light" : "standard";
  const keys = await createKeyFile(options.out, passphrase, {
    keys: generateKeys(givenSigner(options.signerVariable)),
    cost,
  });
  const encryptionKey = toHex(keys.encryptionPublicKey);
  return {
    json: { file: options.out, signer: keys.address, encryptionKey },
    text: [`signer          ${keys.address}`, `encryption key  ${encryptionKey}`, `written to      ${options.out}`],
  };
});

function givenSigner(variable: string | undefined): Hex | undefined {
  if (variable === undefined) return undefined;
  const value = process.env[variable];
  if (value === undefined || !/^0x[0-9a-fA-F]{64}$/.test(value)) {
    throw new ConfigError(`The variable ${variable} does not hold a private key (0x and 64 hexadecimal digits).`);
  }
  return value.toLowerCase() as Hex;
}
