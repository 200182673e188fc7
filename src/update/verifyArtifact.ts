// SPDX-License-Identifier: Apache-2.0

import { type ByteSource, bytesInMemory } from "../protocol/byteSource.ts";
import { type Hex, toHex } from "../protocol/bytes.ts";
import type { UpdateCommitment } from "../protocol/commitment.ts";
import { DecodeError } from "../protocol/errors.ts";
import { FIELD_ORDER } from "../protocol/field.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import { lossCommitment } from "../protocol/lossCommitment.ts";
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import { refuse, type UpdateRefusal } from "../protocol/refusals.ts";
import type { SealedLoss, VerifiedArtifact } from "../protocol/verifiedUpdate.ts";
import { type ArtifactHead, maxArtifactBytes, readArtifactHead } from "./artifact.ts";
import { CheckedBytes } from "./checkedBytes.ts";
import { type CheckedPayload, checkPayload } from "./checkPayload.ts";
import type { UpdateBounds } from "./clip.ts";
import { payloadSource } from "./payloadSource.ts";
import { checkSealShape, openSeal, sealContext } from "./sealOpening.ts";

/** What the chain, the recipe and the head say about every artifact of a round. */
export interface ArtifactContext {
  readonly chainId: bigint;
  /** Address of the TrainingLedger. */
  readonly ledger: string;
  /** Whether this is the run's closing round. */
  readonly closing: boolean;
  /** Whether the recipe has privacy: then every artifact names the entry of its member's privacy ledger. */
  readonly private: boolean;
  readonly layout: ModelLayout;
  readonly codec: CodecConfig;
  readonly bounds: UpdateBounds;
  /** The head's master model. */
  readonly master: Float64Array;
  /** X25519 public keys of the seal's recipients: validators by index, then auditors by id. */
  readonly recipients: readonly Uint8Array[];
  /** The reader's own place among the recipients. An auditor without one checks everything but the contents of the seal. */
  readonly recipient?: { readonly index: number; readonly privateKey: Uint8Array };
}

type Decoded = ArtifactHead & {
  /** Absent for a closing artifact, and where layout or codec are not the run's. */
  readonly payload?: CheckedPayload;
};

/**
 * Decides about one committed artifact, in the order of docs/protocol.md, "Verification of an artifact"; the first failure is the answer.
 *
 * A function of the bytes, the commit and the context, and no bytes make it throw. Validators judge with it, auditors repeat it, and a member
 * runs it on its own artifact before committing. Memory does not grow with the update: the bytes are read three times (digest, grammar, values)
 * and nothing of them is kept but 32 bytes for each 64 KiB, against which every later reading is held.
 *
 * Two places where the table leaves room: bytes longer than any artifact of the run are MALFORMED before they are hashed, since nobody has
 * to hold them; and a payload is inflated only if layout and codec are the run's, without which its form cannot be judged and step 9 refuses.
 *
 * @param bytes what the store served; undefined when it served nothing until the fetch time ended. They stay where they are as long as the
 * verified update is in use.
 * @param commit the commit on chain; its head is the run's.
 * @throws what reading the bytes throws; CONTENT_CHANGED when they change between two readings.
 */
export async function verifyArtifact(
  bytes: ByteSource | Uint8Array | undefined,
  commit: UpdateCommitment,
  context: ArtifactContext,
): Promise<VerifiedArtifact | UpdateRefusal> {
  if (bytes === undefined) return refuse("NOT_SERVED");
  const decoded = await decode(bytes instanceof Uint8Array ? bytesInMemory(bytes) : bytes, commit, context);
  if ("code" in decoded) return decoded;
  const refusal = checkHeader(decoded, commit, context) ?? decoded.payload?.refusal;
  if (refusal !== undefined) return refusal;
  const opened = checkSeal(decoded, commit, context);
  if (opened !== undefined && "code" in opened) return opened;

  const base = {
    memberId: commit.memberId,
    artifactDigest: commit.artifactDigest,
    samples: commit.samples,
    ...(opened === undefined ? { sealChecked: false } : { sealChecked: true, opening: opened }),
  };
  if (decoded.payload === undefined) return { kind: "closing", ...base } as VerifiedArtifact;
  return { kind: "update", ...base, ...payloadSource(decoded.payload.place) } as VerifiedArtifact;
}

/** WRONG_DIGEST, MALFORMED. */
async function decode(
  bytes: ByteSource,
  commit: UpdateCommitment,
  context: ArtifactContext,
): Promise<Decoded | UpdateRefusal> {
  const { codec, layout, recipients } = context;
  const limit = maxArtifactBytes({ codec, layout, recipients: recipients.length });
  if (bytes.length > limit)
    return refuse("MALFORMED", { reason: "larger than any artifact of this run", bytes: bytes.length, limit });
  const checked = await CheckedBytes.of(bytes);
  const digest = toHex(checked.chunkRoot);
  if (digest !== commit.artifactDigest)
    return refuse("WRONG_DIGEST", { committed: commit.artifactDigest, actual: digest });
  try {
    const head = await readArtifactHead(checked);
    if (head.codec !== codec.name || head.layoutDigest !== toHex(layout.digest)) return head;
    const { payloadAt, payloadBytes } = head;
    const frame = (): AsyncIterable<Uint8Array> => checked.pieces(payloadAt, payloadAt + payloadBytes);
    const { run, round } = commit;
    return { ...head, payload: await checkPayload(frame, { ...context, place: { run, round } }) };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return refuse("MALFORMED", { reason: error.message });
  }
}

/** WRONG_RUN, WRONG_ROUND, WRONG_MEMBER, WRONG_SAMPLES, WRONG_BASE, WRONG_LAYOUT. */
function checkHeader(artifact: Decoded, commit: UpdateCommitment, context: ArtifactContext): UpdateRefusal | undefined {
  const kind = context.closing ? "closing" : "update";
  const layoutDigest: Hex = toHex(context.layout.digest);
  const codec = context.closing ? undefined : context.codec.name;
  if (artifact.run !== commit.run) return refuse("WRONG_RUN", { expected: commit.run, actual: artifact.run });
  if (artifact.round !== commit.round) return refuse("WRONG_ROUND", { expected: commit.round, actual: artifact.round });
  if (artifact.kind !== kind) return refuse("WRONG_ROUND", { expected: kind, actual: artifact.kind });
  if ((artifact.ledgerEntry !== undefined) !== context.private) {
    const named = (isPrivate: boolean): string => (isPrivate ? `private ${kind}` : kind);
    return refuse("WRONG_ROUND", { expected: named(context.private), actual: named(!context.private) });
  }
  if (artifact.memberId !== commit.memberId)
    return refuse("WRONG_MEMBER", { expected: commit.memberId, actual: artifact.memberId });
  if (artifact.samples !== commit.samples)
    return refuse("WRONG_SAMPLES", { expected: commit.samples, actual: artifact.samples });
  if (artifact.baseHead !== commit.head)
    return refuse("WRONG_BASE", { expected: commit.head, actual: artifact.baseHead });
  if (artifact.layoutDigest !== layoutDigest)
    return refuse("WRONG_LAYOUT", { expected: layoutDigest, actual: artifact.layoutDigest });
  if (artifact.codec !== codec) return refuse("WRONG_LAYOUT", { expected: codec, actual: artifact.codec });
  return undefined;
}

/** BAD_SEAL, BAD_OPENING. Undefined for a reader without a key. */
function checkSeal(
  artifact: Decoded,
  commit: UpdateCommitment,
  context: ArtifactContext,
): SealedLoss | UpdateRefusal | undefined {
  const { recipients, recipient } = context;
  if (recipient === undefined) return checkSealShape(artifact.parsedSeal, recipients.length);
  const opened = openSeal({
    seal: artifact.seal,
    recipientIndex: recipient.index,
    privateKey: recipient.privateKey,
    recipients,
    context: sealContext({
      chainId: context.chainId,
      ledger: context.ledger,
      run: commit.run,
      round: commit.round,
      memberId: commit.memberId,
    }),
  });
  if ("code" in opened) return opened;
  if (opened.salt >= FIELD_ORDER) return refuse("BAD_OPENING", { reason: "the salt is not a canonical field element" });
  const { run, round, memberId, samples } = commit;
  const commitment = lossCommitment({ run, round, memberId, samples, ...opened });
  if (commitment !== commit.lossCommitment)
    return refuse("BAD_OPENING", { reason: "the sealed loss and salt give another commitment" });
  return opened;
}
