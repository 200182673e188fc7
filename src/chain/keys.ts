// SPDX-License-Identifier: Apache-2.0
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
} from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { inspect } from "node:util";
import { computeAddress, decryptKeystoreJson, encryptKeystoreJson, SigningKey } from "ethers";
import { z } from "zod";
import { equalBytes, fromHex, type Hex, toHex, utf8 } from "../protocol/bytes.ts";
import { ConfigError } from "../protocol/errors.ts";

/**
 * Key files. One file per participant holds everything it must keep secret, under one passphrase: the signer's key as an ordinary Web3 secret
 * storage (version 3, scrypt), which any Ethereum wallet reads, and beside it, in the member `x-foedus`, the X25519 key to which loss openings
 * are sealed, the secret of the beacon's hash chains, and the decryption keys used before rotations (an audit of an old round needs the key
 * of its time). What lies in `x-foedus` is encrypted with AES-256-GCM under a key derived from the signer's key, with address and public key
 * as associated data, so parts of two files cannot be mixed.
 */

/** Cost of scrypt: `standard` is what wallets use (about a second, 128 MiB); `light` is for tests and development chains. */
export type ScryptCost = "standard" | "light";

const SCRYPT: Record<ScryptCost, { N: number; r: number; p: number }> = {
  standard: { N: 131_072, r: 8, p: 1 },
  light: { N: 4_096, r: 8, p: 1 },
};

/** Secrets of one participant. Printing, logging or serialising it shows the public part only. */
export class ParticipantKeys {
  readonly address: string;
  /** Raw X25519 public key, 32 bytes: what the registry records. */
  readonly encryptionPublicKey: Uint8Array;
  readonly #signerPrivateKey: Hex;
  readonly #encryptionPrivateKey: Uint8Array;
  readonly #beaconSecret: Uint8Array;
  readonly #retiredEncryptionKeys: readonly Uint8Array[];

  constructor(secrets: {
    signerPrivateKey: Hex;
    encryptionPrivateKey: Uint8Array;
    beaconSecret: Uint8Array;
    retiredEncryptionKeys?: readonly Uint8Array[];
  }) {
    this.address = computeAddress(new SigningKey(secrets.signerPrivateKey));
    this.encryptionPublicKey = encryptionPublicKeyOf(secrets.encryptionPrivateKey);
    this.#signerPrivateKey = secrets.signerPrivateKey;
    this.#encryptionPrivateKey = secrets.encryptionPrivateKey;
    this.#beaconSecret = secrets.beaconSecret;
    this.#retiredEncryptionKeys = secrets.retiredEncryptionKeys ?? [];
  }

  get signerPrivateKey(): Hex {
    return this.#signerPrivateKey;
  }
  /** Raw X25519 private key, 32 bytes. */
  get encryptionPrivateKey(): Uint8Array {
    return this.#encryptionPrivateKey;
  }
  /** 32 bytes from which a validator derives its hash chain of each run. */
  get beaconSecret(): Uint8Array {
    return this.#beaconSecret;
  }
  /** X25519 private keys used before rotations, newest first; they open what was sealed in their time. */
  get retiredEncryptionKeys(): readonly Uint8Array[] {
    return this.#retiredEncryptionKeys;
  }

  toJSON(): { address: string; encryptionPublicKey: Hex } {
    return { address: this.address, encryptionPublicKey: toHex(this.encryptionPublicKey) };
  }
  [inspect.custom](): string {
    return `ParticipantKeys(${this.address})`;
  }
}

/** Fresh keys from the system's random generator; a signer given by the caller is kept (an account that is funded already). */
export function generateKeys(signerPrivateKey?: Hex): ParticipantKeys {
  return new ParticipantKeys({
    signerPrivateKey: signerPrivateKey ?? generateSignerKey(),
    encryptionPrivateKey: generateEncryptionKey(),
    beaconSecret: new Uint8Array(randomBytes(32)),
  });
}

/** Which keys to replace. The beacon secret stays: hash chains registered for running runs hang on it. */
export function rotatedKeys(
  keys: ParticipantKeys,
  replace: { signer?: boolean; encryption?: boolean },
): ParticipantKeys {
  return new ParticipantKeys({
    signerPrivateKey: replace.signer === true ? generateSignerKey() : keys.signerPrivateKey,
    encryptionPrivateKey: replace.encryption === true ? generateEncryptionKey() : keys.encryptionPrivateKey,
    beaconSecret: keys.beaconSecret,
    retiredEncryptionKeys:
      replace.encryption === true
        ? [keys.encryptionPrivateKey, ...keys.retiredEncryptionKeys]
        : keys.retiredEncryptionKeys,
  });
}

/**
 * Writes keys to a new file that only its owner may read. An existing file is never overwritten.
 * @throws ConfigError when the file exists or cannot be written, or the passphrase is empty.
 */
export async function createKeyFile(
  path: string,
  passphrase: string,
  options: { keys?: ParticipantKeys; cost?: ScryptCost } = {},
): Promise<ParticipantKeys> {
  const keys = options.keys ?? generateKeys();
  await writeNewFile(path, await encryptKeys(keys, passphrase, options.cost ?? "standard"));
  return keys;
}

/**
 * Opens a key file.
 * @throws ConfigError when there is no such file, it is not a key file, or the passphrase does not open it.
 */
export async function openKeyFile(path: string, passphrase: string): Promise<ParticipantKeys> {
  return await decryptKeys(await readText(path), passphrase, path);
}

/** Address and X25519 public key as a key file states them, without a passphrase. Unauthenticated: good for display and for admission forms. */
export async function readPublicKeys(path: string): Promise<{ address: string; encryptionPublicKey: Hex }> {
  const file = parseKeyFile(await readText(path), path);
  return { address: file["x-foedus"].address, encryptionPublicKey: file["x-foedus"].encryptionPublicKey as Hex };
}

/** Where a passphrase comes from: a file (first line), else an environment variable. */
export async function readPassphrase(source: { file?: string | undefined; variable?: string }): Promise<string> {
  const variable = source.variable ?? "FOEDUS_PASSPHRASE";
  let passphrase: string | undefined;
  if (source.file === undefined) passphrase = process.env[variable];
  else {
    try {
      passphrase = (await readFile(source.file, "utf8")).split(/\r?\n/, 1)[0];
    } catch (cause) {
      throw new ConfigError(`The passphrase file ${source.file} cannot be read.`, { path: source.file }, cause);
    }
  }
  if (passphrase === undefined || passphrase === "") {
    throw new ConfigError(`There is no passphrase: name a file that holds one, or set ${variable}.`);
  }
  return passphrase;
}

const hex32 = z.string().regex(/^0x[0-9a-f]{64}$/);
const extensionSchema = z.strictObject({
  version: z.literal(1),
  address: z.string().regex(/^0x[0-9a-fA-F]{40}$/),
  encryptionPublicKey: hex32,
  iv: z.string().regex(/^0x[0-9a-f]{24}$/),
  ciphertext: z.string().regex(/^0x(?:[0-9a-f]{2})+$/),
});
const fileSchema = z.looseObject({ version: z.literal(3), "x-foedus": extensionSchema });
type KeyFile = z.infer<typeof fileSchema>;

async function encryptKeys(keys: ParticipantKeys, passphrase: string, cost: ScryptCost): Promise<string> {
  if (passphrase === "") throw new ConfigError("A key file needs a passphrase that is not empty.");
  const account = { address: keys.address, privateKey: keys.signerPrivateKey };
  const keystore = JSON.parse(
    await encryptKeystoreJson(account, passphrase, { scrypt: SCRYPT[cost], client: "foedus" }),
  );
  const iv = new Uint8Array(randomBytes(12));
  const cipher = createCipheriv("aes-256-gcm", extensionKey(keys.signerPrivateKey, iv), iv);
  cipher.setAAD(associatedData(keys.address, keys.encryptionPublicKey));
  const secrets = Buffer.concat([keys.encryptionPrivateKey, keys.beaconSecret, ...keys.retiredEncryptionKeys]);
  const ciphertext = Buffer.concat([cipher.update(secrets), cipher.final(), cipher.getAuthTag()]);
  const extension: KeyFile["x-foedus"] = {
    version: 1,
    address: keys.address,
    encryptionPublicKey: toHex(keys.encryptionPublicKey),
    iv: toHex(iv),
    ciphertext: toHex(ciphertext),
  };
  return `${JSON.stringify({ ...keystore, "x-foedus": extension }, undefined, 2)}\n`;
}

async function decryptKeys(text: string, passphrase: string, path: string): Promise<ParticipantKeys> {
  const extension = parseKeyFile(text, path)["x-foedus"];
  let signerPrivateKey: Hex;
  try {
    signerPrivateKey = (await decryptKeystoreJson(text, passphrase)).privateKey as Hex;
  } catch (cause) {
    // ethers tells a wrong passphrase and a damaged file apart by the argument it names; both are the same to whoever must act.
    throw new ConfigError(
      `The passphrase does not open the key file ${path}, or the file is damaged.`,
      { path },
      cause,
    );
  }
  const iv = fromHex(extension.iv, 12);
  const sealed = fromHex(extension.ciphertext);
  try {
    const decipher = createDecipheriv("aes-256-gcm", extensionKey(signerPrivateKey, iv), iv);
    decipher.setAAD(associatedData(extension.address, fromHex(extension.encryptionPublicKey, 32)));
    decipher.setAuthTag(sealed.subarray(-16));
    const secrets = new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]));
    const words = Array.from({ length: secrets.length / 32 }, (_, i) => secrets.slice(32 * i, 32 * (i + 1)));
    const [encryptionPrivateKey, beaconSecret, ...retiredEncryptionKeys] = words;
    if (encryptionPrivateKey === undefined || beaconSecret === undefined) throw new Error("too short");
    const keys = new ParticipantKeys({ signerPrivateKey, encryptionPrivateKey, beaconSecret, retiredEncryptionKeys });
    if (!equalBytes(keys.encryptionPublicKey, fromHex(extension.encryptionPublicKey, 32)))
      throw new Error("public key differs");
    return keys;
  } catch (cause) {
    throw new ConfigError(
      `The part x-foedus of the key file ${path} is damaged or belongs to another signer.`,
      { path },
      cause,
    );
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new ConfigError(
      `The key file ${path} cannot be read. Create one with \`foedus keys create\`, or correct its path.`,
      { path },
      cause,
    );
  }
}

function parseKeyFile(text: string, path: string): KeyFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(`${path} is not a key file: it is not JSON.`, { path }, cause);
  }
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success)
    throw new ConfigError(`${path} is not a Foedus key file: ${z.prettifyError(parsed.error)}`, { path });
  return parsed.data;
}

async function writeNewFile(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new ConfigError(
      exists
        ? `The key file ${path} exists already and is not overwritten. Choose another path.`
        : `The key file ${path} cannot be written.`,
      { path },
      cause,
    );
  }
}

function extensionKey(signerPrivateKey: Hex, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", fromHex(signerPrivateKey, 32), salt, utf8("foedus.v1.keyFile"), 32));
}

function associatedData(address: string, encryptionPublicKey: Uint8Array): Uint8Array {
  return utf8(`foedus.v1.keyFile ${address.toLowerCase()} ${toHex(encryptionPublicKey)}`);
}

/** All but 2^-128 of 32-byte strings are valid secp256k1 keys; `ParticipantKeys` refuses the others. */
function generateSignerKey(): Hex {
  return toHex(new Uint8Array(randomBytes(32)));
}

function generateEncryptionKey(): Uint8Array {
  const { d } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
  return new Uint8Array(Buffer.from(d as string, "base64url"));
}

/** Raw X25519 public key of a raw private key. */
export function encryptionPublicKeyOf(privateKey: Uint8Array): Uint8Array {
  // PKCS #8 around a raw X25519 key is a fixed prefix (RFC 8410).
  const prefix = fromHex("0x302e020100300506032b656e04220420");
  const key = createPrivateKey({ key: Buffer.concat([prefix, privateKey]), format: "der", type: "pkcs8" });
  const { x } = createPublicKey(key).export({ format: "jwk" });
  return new Uint8Array(Buffer.from(x as string, "base64url"));
}
