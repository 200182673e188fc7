// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SigningKey } from "ethers";
import { developmentAccounts } from "../../src/chain/developmentAccounts.ts";
import { recoverSigner } from "../../src/chain/recoverSigner.ts";
import { bigIntToBytes, bytesToBigInt, concatBytes, fromHex, utf8 } from "../../src/protocol/bytes.ts";
import { keccak256 } from "../../src/protocol/hash.ts";

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const [{ address, privateKey }] = developmentAccounts(1) as [{ address: string; privateKey: string }];
const digest = keccak256(utf8("a commitment"));
const signature = fromHex(new SigningKey(privateKey).sign(digest).serialized);

function altered(change: (bytes: Uint8Array) => void): Uint8Array {
  const copy = signature.slice();
  change(copy);
  return copy;
}

describe("recoverSigner", () => {
  it("gives the signer", () => assert.equal(recoverSigner(digest, signature), address));

  it("gives another account for another digest", () => {
    const other = recoverSigner(keccak256(utf8("another commitment")), signature);
    assert.notEqual(other, address);
  });

  it("refuses the second form of a signature, with s in the upper half", () => {
    const s = bytesToBigInt(signature.subarray(32, 64));
    const v = signature[64] === 27 ? 28 : 27;
    const second = concatBytes(signature.subarray(0, 32), bigIntToBytes(ORDER - s, 32), Uint8Array.of(v));
    assert.equal(recoverSigner(digest, second), undefined);
  });

  it("refuses what is no signature", () => {
    assert.equal(recoverSigner(digest, signature.subarray(0, 64)), undefined, "64 bytes");
    assert.equal(recoverSigner(digest, concatBytes(signature, Uint8Array.of(0))), undefined, "66 bytes");
    for (const v of [0, 1, 26, 29, 255]) {
      assert.equal(
        recoverSigner(
          digest,
          altered((bytes) => {
            bytes[64] = v;
          }),
        ),
        undefined,
        `v = ${v}`,
      );
    }
    assert.equal(
      recoverSigner(
        digest,
        altered((bytes) => bytes.fill(0, 0, 32)),
      ),
      undefined,
      "r = 0",
    );
    assert.equal(
      recoverSigner(
        digest,
        altered((bytes) => bytes.fill(0, 32, 64)),
      ),
      undefined,
      "s = 0",
    );
    assert.equal(
      recoverSigner(
        digest,
        altered((bytes) => bytes.fill(255, 0, 32)),
      ),
      undefined,
      "r is no coordinate",
    );
    assert.equal(recoverSigner(digest.subarray(1), signature), undefined, "a digest of 31 bytes");
  });
});
