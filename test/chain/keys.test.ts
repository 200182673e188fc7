// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { Wallet } from "ethers";
import {
  createKeyFile,
  encryptionPublicKeyOf,
  generateKeys,
  openKeyFile,
  type ParticipantKeys,
  readPassphrase,
  readPublicKeys,
  rotatedKeys,
} from "../../src/chain/keys.ts";
import { fromHex, toHex } from "../../src/protocol/bytes.ts";
import { ConfigError } from "../../src/protocol/errors.ts";

describe("key files", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "foedus-keys-"));
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  it("gives back every secret that was written", async () => {
    const path = join(folder, "node.json");
    const written = rotatedKeys(generateKeys(), { encryption: true });
    await createKeyFile(path, "correct horse", { keys: written, cost: "light" });
    const opened = await openKeyFile(path, "correct horse");
    assert.equal(opened.signerPrivateKey, written.signerPrivateKey);
    assert.deepEqual(opened.encryptionPrivateKey, written.encryptionPrivateKey);
    assert.deepEqual(opened.encryptionPublicKey, written.encryptionPublicKey);
    assert.deepEqual(opened.beaconSecret, written.beaconSecret);
    assert.deepEqual(opened.retiredEncryptionKeys, written.retiredEncryptionKeys);
    assert.equal(opened.retiredEncryptionKeys.length, 1);
  });

  it("is a Web3 secret storage file that another wallet opens, at the standard cost by default", async () => {
    const path = join(folder, "standard.json");
    const keys = await createKeyFile(path, "correct horse");
    const text = await readFile(path, "utf8");
    assert.equal(JSON.parse(text).Crypto.kdfparams.n, 131_072);
    assert.equal((await Wallet.fromEncryptedJson(text, "correct horse")).privateKey, keys.signerPrivateKey);
  });

  it("derives the X25519 public key of RFC 7748, section 6.1", () => {
    const privateKey = fromHex("0x77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    assert.equal(
      toHex(encryptionPublicKeyOf(privateKey)),
      "0x8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    );
  });

  it("refuses a wrong passphrase, and says which file", async () => {
    const path = join(folder, "passphrase.json");
    await createKeyFile(path, "right", { cost: "light" });
    await assert.rejects(
      openKeyFile(path, "wrong"),
      (error: ConfigError) => error instanceof ConfigError && error.message.includes(path),
    );
    await assert.rejects(createKeyFile(join(folder, "empty.json"), "", { cost: "light" }), ConfigError);
  });

  it("refuses a file whose second part was damaged or comes from another file", async () => {
    const [one, two] = [join(folder, "one.json"), join(folder, "two.json")];
    await createKeyFile(one, "same", { cost: "light" });
    await createKeyFile(two, "same", { cost: "light" });
    const first = JSON.parse(await readFile(one, "utf8"));
    const second = JSON.parse(await readFile(two, "utf8"));
    const flipped = first["x-foedus"].ciphertext.replace(/.$/, (c: string) => (c === "0" ? "1" : "0"));
    const damages: Record<string, unknown> = {
      swapped: { ...first, "x-foedus": second["x-foedus"] },
      flipped: { ...first, "x-foedus": { ...first["x-foedus"], ciphertext: flipped } },
      "other public key": {
        ...first,
        "x-foedus": { ...first["x-foedus"], encryptionPublicKey: second["x-foedus"].encryptionPublicKey },
      },
      "no extension": { ...first, "x-foedus": undefined },
      "extra field": { ...first, "x-foedus": { ...first["x-foedus"], note: "" } },
    };
    for (const [name, value] of Object.entries(damages)) {
      const path = join(folder, "damaged.json");
      await writeFile(path, JSON.stringify(value));
      await assert.rejects(openKeyFile(path, "same"), ConfigError, name);
    }
    await writeFile(join(folder, "text.json"), "not JSON");
    await assert.rejects(openKeyFile(join(folder, "text.json"), "same"), ConfigError);
    await assert.rejects(openKeyFile(join(folder, "absent.json"), "same"), ConfigError);
  });

  it("never overwrites a key file, and lets only the owner read it", async () => {
    const path = join(folder, "owner.json");
    const keys = await createKeyFile(path, "first", { cost: "light" });
    await assert.rejects(createKeyFile(path, "second", { cost: "light" }), /exists already/);
    assert.equal((await openKeyFile(path, "first")).address, keys.address);
    if (process.platform !== "win32") assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  it("rotates: a new key is used, the old decryption key is kept for audits, the beacon secret stays", async () => {
    const [old, next] = [join(folder, "old.json"), join(folder, "next.json")];
    const before = await createKeyFile(old, "pass", { cost: "light" });
    await createKeyFile(next, "pass", { keys: rotatedKeys(before, { signer: true, encryption: true }), cost: "light" });
    const now = await openKeyFile(next, "pass");
    assert.notEqual(now.signerPrivateKey, before.signerPrivateKey);
    assert.notDeepEqual(now.encryptionPrivateKey, before.encryptionPrivateKey);
    assert.deepEqual(now.retiredEncryptionKeys, [before.encryptionPrivateKey]);
    assert.deepEqual(now.beaconSecret, before.beaconSecret);
    const signerOnly = rotatedKeys(now, { signer: true });
    assert.deepEqual(signerOnly.encryptionPrivateKey, now.encryptionPrivateKey);
    assert.equal(signerOnly.retiredEncryptionKeys.length, 1);
  });

  it("shows no secret when printed, logged or serialised", () => {
    const keys = generateKeys();
    const shown = [
      inspect(keys, { depth: 9, showHidden: true }),
      JSON.stringify({ keys }),
      String(keys),
      `${inspect({ keys })}`,
    ].join("\n");
    for (const secret of [keys.signerPrivateKey, toHex(keys.encryptionPrivateKey), toHex(keys.beaconSecret)]) {
      assert.ok(!shown.includes(secret.slice(2)), "a secret was printed");
    }
    assert.ok(shown.includes(keys.address));
  });

  it("states address and public key without the passphrase", async () => {
    const path = join(folder, "public.json");
    const keys = await createKeyFile(path, "pass", { cost: "light" });
    assert.deepEqual(await readPublicKeys(path), {
      address: keys.address,
      encryptionPublicKey: toHex(keys.encryptionPublicKey),
    });
  });

  it("agrees on a shared secret with keys of the platform's library", () => {
    const [one, two] = [generateKeys(), generateKeys()];
    const prefix = Buffer.from("302e020100300506032b656e04220420", "hex");
    const privateKey = (keys: ParticipantKeys) =>
      createPrivateKey({ key: Buffer.concat([prefix, keys.encryptionPrivateKey]), format: "der", type: "pkcs8" });
    const publicKey = (keys: ParticipantKeys) =>
      createPublicKey({
        key: { kty: "OKP", crv: "X25519", x: Buffer.from(keys.encryptionPublicKey).toString("base64url") },
        format: "jwk",
      });
    assert.deepEqual(
      diffieHellman({ privateKey: privateKey(one), publicKey: publicKey(two) }),
      diffieHellman({ privateKey: privateKey(two), publicKey: publicKey(one) }),
    );
  });

  it("takes the passphrase from the first line of a file, else from the environment, else says what to do", async () => {
    const file = join(folder, "passphrase");
    await writeFile(file, "  spaces stay \nsecond line\n");
    assert.equal(await readPassphrase({ file }), "  spaces stay ");
    process.env.FOEDUS_TEST_PASSPHRASE = "from the environment";
    assert.equal(await readPassphrase({ variable: "FOEDUS_TEST_PASSPHRASE" }), "from the environment");
    await assert.rejects(readPassphrase({ variable: "FOEDUS_TEST_UNSET" }), /FOEDUS_TEST_UNSET/);
    await assert.rejects(readPassphrase({ file: join(folder, "no such file") }), ConfigError);
  });
});
