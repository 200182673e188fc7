// SPDX-License-Identifier: Apache-2.0
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { abiEncode, addressBytes } from "../protocol/abi.ts";
import { ByteReader, ByteWriter, concatBytes, equalBytes, utf8 } from "../protocol/bytes.ts";
import { DecodeError } from "../protocol/errors.ts";
import { tag } from "../protocol/hash.ts";
import { refuse, type UpdateRefusal } from "../protocol/refusals.ts";
import type { SealedLoss } from "../protocol/verifiedUpdate.ts";
import { KEY_BYTES, x25519, x25519PublicKey } from "./x25519.ts";

/**
 * The seal of a loss opening: one ciphertext for all recipients, of which none can be given another loss than the rest.
 *
 * Everything follows from one content key ck: the ephemeral key pair, the key of the body, and each recipient's wrap of ck. Whoever opens a
 * wrap therefore has ck, makes the whole seal again and compares every byte; a member that seals to some recipients only is caught by any of
 * them. Authenticity is the commit's: its digest covers the artifact, its signature the digest. Layout in docs/protocol.md.
 */

const WRAP_BYTES = 48;
const BODY_BYTES = 52;
const GCM_TAG_BYTES = 16;
/** Every AES key here is derived for one message, so the fixed nonce is never used twice with one key. */
const NONCE = new Uint8Array(12);

/** Where a seal belongs. A seal moved to another place does not open. */
export interface SealPlace {
  readonly chainId: bigint;
  /** Address of the TrainingLedger. */
  readonly ledger: string;
  readonly run: bigint;
  readonly round: number;
  readonly memberId: number;
}

/** abi(tag("seal"), chainId, ledger, run, round, memberId): the associated data of every ciphertext of a seal. */
export function sealContext(place: SealPlace): Uint8Array {
  return abiEncode(tag("seal"), place.chainId, addressBytes(place.ledger), place.run, place.round, place.memberId);
}

/** Length of a seal for that many recipients. */
export function sealLength(recipients: number): number {
  return KEY_BYTES + 2 + WRAP_BYTES * recipients + BODY_BYTES;
}

/**
 * Seals a loss opening.
 *
 * @param recipients X25519 public keys: the round's validators by index, then its auditors by id. One of low order gets 48 zero bytes.
 * @param context `sealContext` of the member's place.
 * @param contentKey 32 secret random bytes, fresh for every artifact. Stored with it, so that a resumed node sends the same bytes.
 */
export function sealOpening({
  opening,
  recipients,
  context,
  contentKey,
}: {
  opening: SealedLoss;
  recipients: readonly Uint8Array[];
  context: Uint8Array;
  contentKey: Uint8Array;
}): Uint8Array {
  const body = encrypt(
    bodyKey(contentKey),
    new ByteWriter().u32(opening.loss).uint(opening.salt, 32).finish(),
    context,
  );
  return assemble(contentKey, recipients, context, body);
}

function assemble(
  contentKey: Uint8Array,
  recipients: readonly Uint8Array[],
  context: Uint8Array,
  body: Uint8Array,
): Uint8Array {
  const ephemeral = derive(contentKey, utf8("foedus.v1.seal.ephemeral"));
  const ephemeralPublic = x25519PublicKey(ephemeral);
  const writer = new ByteWriter().bytes(ephemeralPublic).u16(recipients.length);
  for (const recipient of recipients) {
    const shared = x25519(ephemeral, recipient);
    writer.bytes(
      shared === undefined
        ? new Uint8Array(WRAP_BYTES)
        : encrypt(wrapKey(shared, ephemeralPublic, recipient), contentKey, context),
    );
  }
  return writer.bytes(body).finish();
}

export interface ParsedSeal {
  readonly ephemeralPublic: Uint8Array;
  readonly wraps: readonly Uint8Array[];
  readonly body: Uint8Array;
}

/**
 * Splits a seal into its parts.
 *
 * @throws DecodeError when the length is not that of the number of wraps it states.
 */
export function parseSeal(seal: Uint8Array): ParsedSeal {
  const reader = new ByteReader(seal);
  const ephemeralPublic = reader.bytes(KEY_BYTES);
  const count = reader.u16();
  if (seal.length !== sealLength(count))
    throw new DecodeError(`A seal of ${count} wraps has ${sealLength(count)} bytes, not ${seal.length}.`);
  const wraps = Array.from({ length: count }, () => reader.bytes(WRAP_BYTES));
  return { ephemeralPublic, wraps, body: reader.bytes(BODY_BYTES) };
}

/** What can be said of a seal without a key: it has one wrap for each recipient of the round. */
export function checkSealShape(seal: ParsedSeal, recipients: number): UpdateRefusal | undefined {
  if (seal.wraps.length === recipients) return undefined;
  return refuse("BAD_SEAL", { reason: "one wrap for each recipient", recipients, wraps: seal.wraps.length });
}

/**
 * Opens a seal with one recipient's key and makes it again from the content key, so that a seal that opens here opens alike for everybody.
 *
 * @returns the opening, whose salt may still be p or more; or `BAD_SEAL` with what was wrong.
 */
export function openSeal({
  seal,
  recipientIndex,
  privateKey,
  recipients,
  context,
}: {
  seal: Uint8Array;
  recipientIndex: number;
  privateKey: Uint8Array;
  recipients: readonly Uint8Array[];
  context: Uint8Array;
}): SealedLoss | UpdateRefusal {
  let parsed: ParsedSeal;
  try {
    parsed = parseSeal(seal);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return refuse("BAD_SEAL", { reason: error.message });
  }
  const badShape = checkSealShape(parsed, recipients.length);
  if (badShape !== undefined) return badShape;

  const shared = x25519(privateKey, parsed.ephemeralPublic);
  if (shared === undefined) return refuse("BAD_SEAL", { reason: "the ephemeral key has low order" });
  const own = recipients[recipientIndex];
  const wrap = parsed.wraps[recipientIndex];
  if (own === undefined || wrap === undefined)
    return refuse("BAD_SEAL", { reason: "no such recipient", recipientIndex });
  const contentKey = decrypt(wrapKey(shared, parsed.ephemeralPublic, own), wrap, context);
  if (contentKey === undefined) return refuse("BAD_SEAL", { reason: "the wrap does not open", recipientIndex });

  const again = parseSeal(assemble(contentKey, recipients, context, parsed.body));
  if (!equalBytes(again.ephemeralPublic, parsed.ephemeralPublic))
    return refuse("BAD_SEAL", { reason: "the ephemeral key is not that of the content key" });
  const different = again.wraps.findIndex((expected, i) => !equalBytes(expected, parsed.wraps[i] as Uint8Array));
  if (different !== -1)
    return refuse("BAD_SEAL", { reason: "a wrap is not that of the content key", recipientIndex: different });

  const body = decrypt(bodyKey(contentKey), parsed.body, context);
  if (body === undefined) return refuse("BAD_SEAL", { reason: "the body does not open" });
  const reader = new ByteReader(body);
  return { loss: reader.u32(), salt: reader.uint(32) };
}

function bodyKey(contentKey: Uint8Array): Uint8Array {
  return derive(contentKey, utf8("foedus.v1.seal.body"));
}

function wrapKey(shared: Uint8Array, ephemeralPublic: Uint8Array, recipient: Uint8Array): Uint8Array {
  return derive(shared, concatBytes(utf8("foedus.v1.seal.wrap"), ephemeralPublic, recipient));
}

function derive(secret: Uint8Array, info: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(0), info, 32));
}

function encrypt(key: Uint8Array, plaintext: Uint8Array, context: Uint8Array): Uint8Array {
  const cipher = createCipheriv("aes-256-gcm", key, NONCE).setAAD(context);
  return concatBytes(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

function decrypt(key: Uint8Array, ciphertext: Uint8Array, context: Uint8Array): Uint8Array | undefined {
  const split = ciphertext.length - GCM_TAG_BYTES;
  const decipher = createDecipheriv("aes-256-gcm", key, NONCE).setAAD(context).setAuthTag(ciphertext.subarray(split));
  const plaintext = decipher.update(ciphertext.subarray(0, split));
  try {
    return concatBytes(plaintext, decipher.final());
  } catch {
    // The tag does not fit: another key, another place, or altered bytes.
    return undefined;
  }
}
