// SPDX-License-Identifier: Apache-2.0

import type { ByteSource } from "../protocol/byteSource.ts";
import { ByteReader, ByteWriter, equalBytes, fromHex, type Hex, toHex, utf8 } from "../protocol/bytes.ts";
import { ZERO_WORD } from "../protocol/commitment.ts";
import { DecodeError } from "../protocol/errors.ts";
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import { CODEC_IDS } from "./codecs.ts";
import { maxPayloadBytes } from "./payload.ts";
import type { PayloadExtent } from "./payloadExtent.ts";
import { type ParsedSeal, parseSeal, sealLength } from "./sealOpening.ts";

const MAGIC = utf8("FOEDUPD1");
/** In private runs, between codec and seal. */
const LEDGER_ENTRY_BYTES = 32;
/** Magic, kind, run, round, member, base head, samples, layout digest, codec, ledger entry where there is one, and the two lengths. */
const MAX_FIXED_BYTES = 8 + 1 + 8 + 4 + 4 + 32 + 4 + 32 + 1 + LEDGER_ENTRY_BYTES + 4 + 4;
/** Up to and with the length of a private artifact's seal; any artifact has more bytes. */
const UP_TO_SEAL = MAX_FIXED_BYTES - 4;
/** Its number of wraps is a uint16. */
const MAX_SEAL_BYTES = sealLength(65_535);
const KINDS = ["update", "closing"] as const;
/** Added to the kind of a private artifact. */
const PRIVATE_KIND = KINDS.length;

/** What an artifact says of itself; verification compares it with the commit and the run. */
export interface ArtifactHeader {
  readonly kind: (typeof KINDS)[number];
  readonly run: bigint;
  readonly round: number;
  readonly memberId: number;
  /** Head of the model the update was computed from. */
  readonly baseHead: Hex;
  readonly samples: number;
  readonly layoutDigest: Hex;
  /** Undefined exactly for closing artifacts (0 in the bytes). */
  readonly codec: CodecConfig["name"] | undefined;
  /**
   * Digest of the entry in the member's privacy ledger that paid for this artifact; present exactly in private runs. Nobody else can tell whether the ledger
   * exists: it binds the member, who has to show it when asked.
   */
  readonly ledgerEntry?: Hex | undefined;
}

export interface ArtifactParts extends ArtifactHeader {
  readonly seal: Uint8Array;
  /** Empty exactly for closing artifacts. */
  readonly payload: Uint8Array;
}

/** Bytes of an artifact, as the member commits to them. */
export function encodeArtifact(artifact: ArtifactParts): Uint8Array {
  const { ledgerEntry } = artifact;
  return new ByteWriter()
    .bytes(MAGIC)
    .u8(KINDS.indexOf(artifact.kind) + (ledgerEntry === undefined ? 0 : PRIVATE_KIND))
    .u64(artifact.run)
    .u32(artifact.round)
    .u32(artifact.memberId)
    .bytes(fromHex(artifact.baseHead, 32))
    .u32(artifact.samples)
    .bytes(fromHex(artifact.layoutDigest, 32))
    .u8(artifact.codec === undefined ? 0 : CODEC_IDS[artifact.codec])
    .bytes(ledgerEntry === undefined ? new Uint8Array(0) : fromHex(ledgerEntry, LEDGER_ENTRY_BYTES))
    .u32(artifact.seal.length)
    .bytes(artifact.seal)
    .u32(artifact.payload.length)
    .bytes(artifact.payload)
    .finish();
}

/** Everything of an artifact but its payload. */
export type ArtifactHead = ArtifactHeader & {
  readonly seal: Uint8Array;
  readonly parsedSeal: ParsedSeal;
  readonly payloadAt: number;
  readonly payloadBytes: number;
};

/**
 * The outer structure of an artifact; seal and payload are views of the bytes and not opened.
 *
 * @throws DecodeError for anything but exactly one artifact of known kind and codec with a well-formed seal.
 */
export function decodeArtifact(bytes: Uint8Array): ArtifactParts & { readonly parsedSeal: ParsedSeal } {
  const { payloadAt, payloadBytes, ...parts } = decodeArtifactHead(bytes, bytes.length);
  return { ...parts, payload: bytes.subarray(payloadAt, payloadAt + payloadBytes) };
}

/** The same of bytes that need not be in memory: reads what comes before the payload, and nothing of it. */
export async function readArtifactHead(bytes: ByteSource): Promise<ArtifactHead> {
  const fixed = await bytes.read(0, Math.min(UP_TO_SEAL, bytes.length));
  if (fixed.length < UP_TO_SEAL) return decodeArtifactHead(fixed, bytes.length);
  const isPrivate = (fixed[MAGIC.length] as number) >= PRIVATE_KIND;
  const sealAt = isPrivate ? UP_TO_SEAL : UP_TO_SEAL - LEDGER_ENTRY_BYTES;
  const sealBytes = new DataView(fixed.buffer, fixed.byteOffset).getUint32(sealAt - 4);
  // A length that no seal has is refused by the length alone.
  const wanted = sealBytes > MAX_SEAL_BYTES ? UP_TO_SEAL : sealAt + sealBytes + 4;
  return decodeArtifactHead(await bytes.read(0, Math.min(wanted, bytes.length)), bytes.length);
}

/** @param head the artifact's first bytes, at least those before the payload. @param length the artifact's. */
function decodeArtifactHead(head: Uint8Array, length: number): ArtifactHead {
  const reader = new ByteReader(head);
  if (!equalBytes(reader.bytes(MAGIC.length), MAGIC))
    throw new DecodeError("The bytes do not begin with an artifact's magic.");
  const kindId = reader.u8();
  const isPrivate = kindId >= PRIVATE_KIND;
  const kind = KINDS[kindId - (isPrivate ? PRIVATE_KIND : 0)];
  if (kind === undefined) throw new DecodeError(`Kind ${kindId} is not known.`);
  const header = {
    kind,
    run: reader.u64(),
    round: reader.u32(),
    memberId: reader.u32(),
    baseHead: toHex(reader.bytes(32)),
    samples: reader.u32(),
    layoutDigest: toHex(reader.bytes(32)),
    codec: codecOf(reader.u8(), kind),
    ...(isPrivate ? { ledgerEntry: toHex(reader.bytes(LEDGER_ENTRY_BYTES)) } : {}),
  };
  if (header.ledgerEntry === ZERO_WORD)
    throw new DecodeError("A private artifact names no entry of its member's privacy ledger.");
  const seal = reader.bytes(reader.u32());
  const parsedSeal = parseSeal(seal);
  const payloadBytes = reader.u32();
  const payloadAt = reader.offset;
  if (payloadBytes > length - payloadAt) {
    throw new DecodeError(
      `Input ends at byte ${length}; ${payloadBytes} bytes of payload were expected at ${payloadAt}.`,
    );
  }
  const after = length - payloadAt - payloadBytes;
  if (after > 0) throw new DecodeError(`${after} bytes follow the end of the input.`);
  if ((kind === "closing") !== (payloadBytes === 0))
    throw new DecodeError(`The payload of a ${kind} artifact has ${payloadBytes} bytes.`);
  return { ...header, seal, parsedSeal, payloadAt, payloadBytes };
}

function codecOf(id: number, kind: ArtifactHeader["kind"]): CodecConfig["name"] | undefined {
  if (id === 0 && kind === "closing") return undefined;
  const name = Object.entries(CODEC_IDS).find(([, known]) => known === id)?.[0] as CodecConfig["name"] | undefined;
  if (name === undefined || kind === "closing") throw new DecodeError(`Codec ${id} is not one of a ${kind} artifact.`);
  return name;
}

/**
 * Most bytes an artifact of a run can have: the limit for fetching one, in a closing round too, so that an update served there is found to be
 * of the wrong round; private or not, which is a few bytes.
 *
 * @param recipients the seal's recipients.
 */
export function maxArtifactBytes({
  codec,
  layout,
  recipients,
}: {
  codec: CodecConfig;
  layout: PayloadExtent;
  recipients: number;
}): number {
  return MAX_FIXED_BYTES + sealLength(recipients) + maxPayloadBytes(codec, layout);
}
