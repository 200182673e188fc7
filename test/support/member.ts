// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientAlgorithm, TrainingOutcome } from "../../src/node/clientAlgorithm.ts";
import type { NodeContext } from "../../src/node/nodeContext.ts";
import { NodeState } from "../../src/node/nodeState.ts";
import { type Hex, toHex } from "../../src/protocol/bytes.ts";
import { encodeCheckpoint, modelRoot } from "../../src/protocol/checkpoint.ts";
import { ZERO_WORD } from "../../src/protocol/commitment.ts";
import { digestOfContentId } from "../../src/protocol/contentId.ts";
import type { ContentStore } from "../../src/protocol/contentStore.ts";
import type { LedgerWriter, MemberRecord, ValidatorSet } from "../../src/protocol/ledger.ts";
import { SILENT } from "../../src/protocol/logger.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { ArtifactContext, verifyArtifact } from "../../src/update/verifyArtifact.ts";
import { x25519PublicKey } from "../../src/update/x25519.ts";
import { contextFor, LAYOUT, PLACE, PRIVATE_KEYS } from "../update/fixtures.ts";
import { addressOf, type ScriptedChain, VALIDATORS } from "./scriptedChain.ts";

/** Model that the member trains from: every coordinate 0.25, whatever its grid. */
export const MASTER = new Float64Array(LAYOUT.size);
for (const { offset, size, fractionBits } of LAYOUT.tensors)
  MASTER.fill(2 ** (fractionBits + 14), offset, offset + size);

/** A tenth up in every coordinate. */
export const OUTCOME: TrainingOutcome = {
  delta: new Float32Array(LAYOUT.size).fill(0.1),
  samples: 120,
  receivedLoss: 1.5,
};

/** Validators with the keys of the update fixtures. */
export const SEALED_TO: ValidatorSet = {
  ...VALIDATORS,
  validators: VALIDATORS.validators.slice(0, 3).map((record, i) => ({
    ...record,
    encryptionKey: toHex(x25519PublicKey(PRIVATE_KEYS[i] as Uint8Array)),
  })),
};

/** A member of the scripted round: the node's own code over a scripted chain and the given store. What it opens is closed by `resources`. */
export async function openMember(
  chain: ScriptedChain,
  store: ContentStore,
  resources: AsyncDisposableStack,
  options: { outcome?: TrainingOutcome; memberId?: number; calls?: Partial<LedgerWriter> } = {},
): Promise<NodeContext> {
  const { outcome = OUTCOME, memberId = PLACE.memberId } = options;
  const folder = await mkdtemp(join(tmpdir(), "foedus-member-"));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  const checkpoint = encodeCheckpoint({ master: MASTER, state: {} }, { layout: LAYOUT, recipe: {} });
  chain.run = {
    ...chain.run,
    head: chain.view().head,
    modelRoot: toHex(modelRoot(checkpoint)),
    checkpointCid: digestOfContentId(await store.put(checkpoint)),
  };
  const member: MemberRecord = {
    id: memberId,
    signer: addressOf(9),
    encryptionKey: ZERO_WORD,
    maxSamples: 100,
    name: "member",
  };
  const ledger = chain.ledger(addressOf(9), {
    validatorSet: async () => SEALED_TO,
    memberInRound: async () => member,
    isInvited: async () => true,
    signCommitment: async ({ artifactDigest }) => artifactDigest,
    ...options.calls,
  });
  const { bounds, codec } = contextFor();
  const update = { codec, maxCoordinate: bounds.maxCoordinate, maxNormSq: String(bounds.maxNormSq) };
  const algorithm: ClientAlgorithm = { train: async () => outcome, evaluate: async () => outcome };
  return {
    run: 1n,
    chainId: PLACE.chainId,
    addresses: { trainingLedger: PLACE.ledger },
    recipe: { update },
    params: { cohort: 1_024 },
    layout: LAYOUT,
    ledger,
    store,
    algorithm,
    state: new NodeState(folder, 1n),
    logger: SILENT,
    signal: new AbortController().signal,
    memberId,
    codecStream: (round: number) => keyedRandom("codec", round),
  } as unknown as NodeContext;
}

/** What validator `index` checks artifacts of that member's round against. */
export function judgedBy(index: number): ArtifactContext {
  return contextFor({ master: MASTER, recipient: { index, privateKey: PRIVATE_KEYS[index] as Uint8Array } });
}

/** Code of the refusal, or "accepted". */
export function outcomeOf(verdict: Awaited<ReturnType<typeof verifyArtifact>>): string {
  return "code" in verdict ? verdict.name : "accepted";
}

export const WRONG_HEAD: Hex = `0x${"77".repeat(32)}`;
