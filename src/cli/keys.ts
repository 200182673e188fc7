// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { passphraseFileOption } from "./options.ts";
import { printLine, toJson } from "./print.ts";

interface PublicPart {
  readonly file: string;
  readonly signer: string;
  readonly encryptionKey: string;
}

/** `foedus keys create`, `foedus keys show`, `foedus keys swarm` */
export function keysCommand(): Command {
  const create = new Command("create")
    .description("make a participant's keys and write them to a new encrypted file")
    .requiredOption("--out <file>", "file to create; an existing one is never overwritten")
    .addOption(passphraseFileOption())
    .option("--light", "cheap key derivation: for development chains only")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  $ foedus keys create --out keys.json --passphrase-file passphrase.txt\n  $ FOEDUS_PASSPHRASE=… foedus keys create --out keys.json\n\nThe file holds the signing key (any Ethereum wallet reads it), the key that opens sealed losses and a validator's beacon\nsecret. Back it up with its passphrase: nobody can make it again.",
    )
    .action(async (options: { out: string; passphraseFile?: string; light?: boolean; json?: boolean }) => {
      const [{ createKeyFile, readPassphrase }, { toHex }] = await Promise.all([
        import("../chain/keys.ts"),
        import("../protocol/bytes.ts"),
      ]);
      const passphrase = await readPassphrase({ file: options.passphraseFile });
      const keys = await createKeyFile(options.out, passphrase, {
        cost: options.light === true ? "light" : "standard",
      });
      print({ file: options.out, signer: keys.address, encryptionKey: toHex(keys.encryptionPublicKey) }, options);
    });
  const show = new Command("show")
    .description("print the public keys of a key file: what the admin needs to admit its owner")
    .argument("<file>", "key file")
    .option("--check", "also open the file, to see that the passphrase is the right one")
    .addOption(passphraseFileOption())
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  $ foedus keys show keys.json\n  $ foedus keys show keys.json --check --passphrase-file passphrase.txt",
    )
    .action(async (file: string, options: { check?: boolean; passphraseFile?: string; json?: boolean }) => {
      const { openKeyFile, readPassphrase, readPublicKeys } = await import("../chain/keys.ts");
      if (options.check === true) await openKeyFile(file, await readPassphrase({ file: options.passphraseFile }));
      const { address, encryptionPublicKey } = await readPublicKeys(file);
      print({ file, signer: address, encryptionKey: encryptionPublicKey }, options);
    });
  const swarm = new Command("swarm")
    .description("make the pre-shared key of a consortium's private IPFS network")
    .requiredOption("--out <file>", "file to create; an existing one is never overwritten")
    .addHelpText(
      "after",
      "\nExample:\n  $ foedus keys swarm --out swarm.key\n\nOne for the whole consortium: give the same file to every participant.",
    )
    .action(async ({ out }: { out: string }) => {
      const [{ writeFile }, { generateSwarmKey }, { ConfigError }] = await Promise.all([
        import("node:fs/promises"),
        import("../storage/swarmKey.ts"),
        import("../protocol/errors.ts"),
      ]);
      await writeFile(out, generateSwarmKey(), { flag: "wx", mode: 0o600 }).catch((cause: unknown) => {
        throw new ConfigError(
          `${out} cannot be created (${(cause as Error).message}). Choose another --out.`,
          { out },
          cause,
        );
      });
      printLine(`written to ${out}`);
    });
  return new Command("keys").description("make and show keys").addCommand(create).addCommand(show).addCommand(swarm);
}

function print(keys: PublicPart, { json }: { json?: boolean }): void {
  if (json === true) {
    printLine(toJson(keys));
    return;
  }
  printLine(`signer          ${keys.signer}`);
  printLine(`encryption key  ${keys.encryptionKey}`);
  printLine(`file            ${keys.file}`);
}
