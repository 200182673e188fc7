// SPDX-License-Identifier: Apache-2.0
import { type Hex, toHex } from "../../src/protocol/bytes.ts";
import { chunkRoot } from "../../src/protocol/chunkRoot.ts";
import { type UpdateCommitment, ZERO_WORD } from "../../src/protocol/commitment.ts";
import { type ModelLayout, modelLayout } from "../../src/protocol/layout.ts";
import { lossCommitment } from "../../src/protocol/lossCommitment.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import { type ArtifactParts, encodeArtifact } from "../../src/update/artifact.ts";
import { encodePayload } from "../../src/update/payload.ts";
import { sealContext, sealOpening } from "../../src/update/sealOpening.ts";
import type { ArtifactContext } from "../../src/update/verifyArtifact.ts";
import { x25519PublicKey } from "../../src/update/x25519.ts";

/** Ten coordinates on 2^-18 and six on 2^-16, whose squares count sixteenfold. */
export const LAYOUT: ModelLayout = modelLayout([
  { name: "dense.weight", shape: [2, 5], fractionBits: 18, group: 0 },
  { name: "dense.bias", shape: [6], fractionBits: 16, group: 0 },
]);

export const CODECS: readonly CodecConfig[] = [
  { name: "int16", blockSize: 5 },
  { name: "int8", blockSize: 6 },
  { name: "topk-int16", blockSize: 3, keep: 7 },
  { name: "topk-int8", blockSize: 4, keep: 4 },
];

export const PRIVATE_KEYS = [1, 2, 3].map((i) => new Uint8Array(32).fill(i));
export const PLACE = {
  chainId: 31_337n,
  ledger: "0x5fbdb2315678afecb367f032d93f642f64180aa3",
  run: 3n,
  round: 7,
  memberId: 5,
};
export const HEAD: Hex = `0x${"ab".repeat(32)}`;
export const OPENING = { loss: 151_000, salt: 123_456_789n };
export const CONTENT_KEY = new Uint8Array(32).fill(42);
export const VALUES = Int32Array.from([0, 1, -1, 300, -40_000, 9, 0, 0, 12, 7, 1_000, -1_000, 0, 5, 0, 127]);

export function contextFor(changes: Partial<ArtifactContext> = {}): ArtifactContext {
  return {
    chainId: PLACE.chainId,
    ledger: PLACE.ledger,
    closing: false,
    private: false,
    layout: LAYOUT,
    codec: CODECS[0] as CodecConfig,
    bounds: { maxCoordinate: 100_000, maxNormSq: 10n ** 12n },
    master: new Float64Array(LAYOUT.size),
    recipients: PRIVATE_KEYS.map(x25519PublicKey),
    recipient: { index: 1, privateKey: PRIVATE_KEYS[1] as Uint8Array },
    ...changes,
  };
}

export function sealFor(changes: Partial<Parameters<typeof sealOpening>[0]> = {}): Uint8Array {
  return sealOpening({
    opening: OPENING,
    recipients: contextFor().recipients,
    context: sealContext(PLACE),
    contentKey: CONTENT_KEY,
    ...changes,
  });
}

/** A valid artifact's parts, with one thing changed. */
export function partsWith(changes: Partial<ArtifactParts> = {}): ArtifactParts {
  const codec = CODECS[0] as CodecConfig;
  return {
    kind: "update",
    run: PLACE.run,
    round: PLACE.round,
    memberId: PLACE.memberId,
    baseHead: HEAD,
    samples: 600,
    layoutDigest: toHex(LAYOUT.digest),
    codec: codec.name,
    seal: sealFor(),
    payload: encodePayload(VALUES, codec),
    ...changes,
  };
}

/** The commit of member 5 to these bytes, with one thing changed. */
export function commitTo(bytes: Uint8Array, changes: Partial<UpdateCommitment> = {}): UpdateCommitment {
  return {
    run: PLACE.run,
    round: PLACE.round,
    head: HEAD,
    memberId: PLACE.memberId,
    artifactDigest: toHex(chunkRoot(bytes)),
    artifactCid: ZERO_WORD,
    samples: 600,
    lossCommitment: lossCommitment({
      run: PLACE.run,
      round: PLACE.round,
      memberId: PLACE.memberId,
      samples: 600,
      ...OPENING,
    }),
    extension: ZERO_WORD,
    ...changes,
  };
}

export const ARTIFACT = encodeArtifact(partsWith());
