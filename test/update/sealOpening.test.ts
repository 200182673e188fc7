// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createCipheriv, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { AbiCoder, id } from "ethers";
import { concatBytes, fromHex, toHex, utf8 } from "../../src/protocol/bytes.ts";
import { openSeal, parseSeal, sealContext, sealLength, sealOpening } from "../../src/update/sealOpening.ts";
import { x25519, x25519PublicKey } from "../../src/update/x25519.ts";

interface SealVectors {
  place: { chainId: string; ledger: string; run: string; round: number; memberId: number };
  context: string;
  contentKey: string;
  loss: number;
  salt: string;
  privateKeys: string[];
  publicKeys: string[];
  lowOrderKeys: string[];
  cases: { name: string; recipients: string[]; seal: string }[];
}
const vectors = JSON.parse(readFileSync(new URL("../vectors/seal.json", import.meta.url), "utf8")) as SealVectors;
const place = { ...vectors.place, chainId: BigInt(vectors.place.chainId), run: BigInt(vectors.place.run) };
const context = fromHex(vectors.context);
const contentKey = fromHex(vectors.contentKey);
const opening = { loss: vectors.loss, salt: BigInt(vectors.salt) };
const privateKeys = vectors.privateKeys.map((key) => fromHex(key));
const recipients = vectors.publicKeys.map((key) => fromHex(key));

describe("sealOpening", () => {
  for (const { name, recipients: keys, seal } of vectors.cases) {
    it(`gives the bytes that another implementation gives: ${name}`, () => {
      assert.equal(
        toHex(sealOpening({ opening, recipients: keys.map((key) => fromHex(key)), context, contentKey })),
        seal,
      );
      assert.equal(fromHex(seal).length, sealLength(keys.length));
    });
  }

  it("is bound to the place that Solidity's abi.encode gives", () => {
    assert.equal(toHex(sealContext(place)), vectors.context);
    const encoded = AbiCoder.defaultAbiCoder().encode(
      ["bytes32", "uint256", "address", "uint64", "uint32", "uint32"],
      [id("foedus.v1.seal"), place.chainId, place.ledger, place.run, place.round, place.memberId],
    );
    assert.equal(encoded, vectors.context);
  });

  it("opens for every recipient", () => {
    const seal = sealOpening({ opening, recipients, context, contentKey });
    for (const [recipientIndex, privateKey] of privateKeys.entries()) {
      assert.deepEqual(openSeal({ seal, recipientIndex, privateKey, recipients, context }), opening);
    }
  });

  it("opens for the others when some recipient registered a key of low order", () => {
    const mixed = vectors.cases.find(({ name }) => name.includes("low order"));
    const keys = mixed?.recipients.map((key) => fromHex(key)) as Uint8Array[];
    const seal = fromHex(mixed?.seal as string);
    assert.deepEqual(
      openSeal({ seal, recipientIndex: 0, privateKey: privateKeys[0] as Uint8Array, recipients: keys, context }),
      opening,
    );
    assert.ok(
      parseSeal(seal)
        .wraps.slice(1, 8)
        .every((wrap) => wrap.every((byte) => byte === 0)),
    );
  });
});

describe("openSeal answers BAD_SEAL", () => {
  const seal = sealOpening({ opening, recipients, context, contentKey });
  const open = (changed: Uint8Array, recipientIndex = 0): ReturnType<typeof openSeal> =>
    openSeal({
      seal: changed,
      recipientIndex,
      privateKey: privateKeys[recipientIndex] as Uint8Array,
      recipients,
      context,
    });

  it("for every single changed byte, to every recipient", () => {
    for (let at = 0; at < seal.length; at += 3) {
      const changed = Uint8Array.from(seal);
      changed[at] = (changed[at] as number) ^ 0x80;
      // The top bit of the ephemeral key is ignored by X25519 itself; comparing the key catches it all the same.
      for (const recipientIndex of [0, 3]) {
        const result = open(changed, recipientIndex);
        assert.ok("code" in result && result.name === "BAD_SEAL", `byte ${at}`);
      }
    }
  });

  it("when a recipient's wrap holds another content key that opens its own body", () => {
    // A member that wants validator 3 to read another loss needs another ck there, and cannot have two bodies or two ephemeral keys.
    const other = sealOpening({
      opening: { loss: 1, salt: 1n },
      recipients,
      context,
      contentKey: new Uint8Array(32).fill(9),
    });
    const changed = Uint8Array.from(seal);
    changed.set(parseSeal(other).wraps[3] as Uint8Array, 34 + 48 * 3);
    for (const recipientIndex of [0, 1, 2, 3]) assert.ok("code" in open(changed, recipientIndex));
  });

  it("when the ephemeral key has low order", () => {
    for (const key of vectors.lowOrderKeys) {
      const changed = Uint8Array.from(seal);
      changed.set(fromHex(key), 0);
      const result = open(changed);
      assert.ok("code" in result && /low order/.test(String(result.values.reason)));
    }
  });

  it("to a key that is not the recipient's, and for an index that is none", () => {
    assert.ok(
      "code" in openSeal({ seal, recipientIndex: 0, privateKey: privateKeys[1] as Uint8Array, recipients, context }),
    );
    assert.ok(
      "code" in openSeal({ seal, recipientIndex: 4, privateKey: privateKeys[0] as Uint8Array, recipients, context }),
    );
  });

  it("when the ephemeral key is one the member chose, not the content key's", () => {
    const chosen = new Uint8Array(32).fill(77);
    const chosenPublic = x25519PublicKey(chosen);
    const wraps = recipients.map((recipient) => {
      const info = concatBytes(utf8("foedus.v1.seal.wrap"), chosenPublic, recipient);
      const shared = x25519(chosen, recipient) as Uint8Array;
      const key = new Uint8Array(hkdfSync("sha256", shared, new Uint8Array(0), info, 32));
      const cipher = createCipheriv("aes-256-gcm", key, new Uint8Array(12)).setAAD(context);
      return concatBytes(cipher.update(contentKey), cipher.final(), cipher.getAuthTag());
    });
    const forged = concatBytes(chosenPublic, Uint8Array.of(0, recipients.length), ...wraps, parseSeal(seal).body);
    for (const recipientIndex of [0, 1, 2, 3]) {
      const result = open(forged, recipientIndex);
      assert.ok("code" in result);
      assert.equal(result.values.reason, "the ephemeral key is not that of the content key");
    }
  });

  it("for bytes that are no seal", () => {
    for (const bytes of [new Uint8Array(0), seal.subarray(1), new Uint8Array(sealLength(4))])
      assert.ok("code" in open(bytes));
  });
});

describe("x25519", () => {
  it("public keys of the vectors", () => {
    for (const [i, privateKey] of privateKeys.entries())
      assert.equal(toHex(x25519PublicKey(privateKey)), vectors.publicKeys[i]);
  });

  it("RFC 7748 §6.1: the secret that Bob shares with Alice", () => {
    const bob = fromHex("0x5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    const alicePublic = fromHex("0x8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    const shared = x25519(bob, alicePublic);
    assert.ok(shared !== undefined);
    assert.equal(toHex(shared), "0x4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert.equal(toHex(x25519PublicKey(bob)), "0xde9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  });

  it("shares nothing with keys of low order, also with the ignored top bit set", () => {
    for (const key of vectors.lowOrderKeys) {
      const point = fromHex(key);
      assert.equal(x25519(privateKeys[0] as Uint8Array, point), undefined);
      point[31] = (point[31] as number) | 0x80;
      assert.equal(x25519(privateKeys[0] as Uint8Array, point), undefined);
    }
  });

  it("refuses keys that are not 32 bytes", () => {
    assert.throws(() => x25519PublicKey(new Uint8Array(31)), /32 bytes, got 31/);
    assert.throws(() => x25519(privateKeys[0] as Uint8Array, new Uint8Array(33)), /32 bytes, got 33/);
  });
});
