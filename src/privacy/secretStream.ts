// SPDX-License-Identifier: Apache-2.0
import { createCipheriv, hkdfSync } from "node:crypto";
import { ConfigError } from "../protocol/errors.ts";

export const SECRET_BYTES = 32;
const WORDS = 16_384;
const ZEROS = new Uint8Array(4 * WORDS);
/** ChaCha20's counter and nonce; the key is used for one stream only. */
const IV = new Uint8Array(16);

/** Uniform words that nobody without the secret can tell from random ones. */
export interface SecretWords {
  /** In [0, 2^32). */
  nextUint32(): number;
  /** In [0, n), 1 ≤ n ≤ 2^32. */
  integerBelow(n: number): number;
}

/** What noise a stream is for: never two releases with the same one. */
export interface NoiseLabel {
  readonly run: bigint;
  readonly round: number;
  readonly purpose: string;
}

/**
 * The noise stream of a member: ChaCha20 under HKDF-SHA-256(secret, label). From the secret and the label the same noise comes again, so that an
 * update that was prepared twice (a crash before it was written) reveals no difference of two noises; without the secret it cannot be taken off.
 *
 * @param secret 32 random bytes that stay with the member: whoever has them has its updates without noise.
 * @throws ConfigError for a secret of another length.
 */
export function secretStream(secret: Uint8Array, { run, round, purpose }: NoiseLabel): SecretWords {
  if (secret.length !== SECRET_BYTES)
    throw new ConfigError(`A noise secret has ${SECRET_BYTES} bytes, not ${secret.length}.`);
  const info = JSON.stringify(["foedus.v1.noise", String(run), round, purpose]);
  return new Stream(new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(0), info, 32)));
}

/**
 * The member's secret for one federation: every ledger counts runs from 1, and two with the same label must not have the same noise.
 *
 * @param federation chain id and address of the TrainingLedger (`federationName`).
 */
export function federationSecret(secret: Uint8Array, federation: string): Uint8Array {
  const info = JSON.stringify(["foedus.v1.noise-secret", federation]);
  return new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(0), info, SECRET_BYTES));
}

class Stream implements SecretWords {
  readonly #cipher: ReturnType<typeof createCipheriv>;
  #words: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;

  constructor(key: Uint8Array) {
    this.#cipher = createCipheriv("chacha20", key, IV);
  }

  nextUint32(): number {
    if (this.#at === this.#words.byteLength) {
      const bytes = this.#cipher.update(ZEROS);
      this.#words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      this.#at = 0;
    }
    const word = this.#words.getUint32(this.#at);
    this.#at += 4;
    return word;
  }

  integerBelow(n: number): number {
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const word = this.nextUint32();
      if (word < limit) return word % n;
    }
  }
}
