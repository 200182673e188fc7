// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { PreparedUpdate } from "../../src/node/nodeState.ts";
import { prepareUpdateOnce } from "../../src/node/round/prepareUpdateOnce.ts";
import { concatBytes, toHex } from "../../src/protocol/bytes.ts";
import { chunkRoot } from "../../src/protocol/chunkRoot.ts";
import type { UpdateCommitment } from "../../src/protocol/commitment.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import type { RefusalName } from "../../src/protocol/refusals.ts";
import type { VerifiedUpdate } from "../../src/protocol/verifiedUpdate.ts";
import { MemoryNetwork, openMemoryStore } from "../../src/storage/memoryStore.ts";
import { type ArtifactParts, decodeArtifact, encodeArtifact } from "../../src/update/artifact.ts";
import { blockForm, encodeBlocks } from "../../src/update/blocks.ts";
import { decodePayload, encodePayload } from "../../src/update/payload.ts";
import { sealContext, sealOpening } from "../../src/update/sealOpening.ts";
import { verifyArtifact } from "../../src/update/verifyArtifact.ts";
import { compress } from "../../src/update/zstdFrame.ts";
import { judgedBy, openMember, outcomeOf, WRONG_HEAD } from "../support/member.ts";
import { ScriptedChain } from "../support/scriptedChain.ts";
import { valuesOf } from "../support/valuesOf.ts";
import { CODECS, LAYOUT, PLACE } from "../update/fixtures.ts";

const int16 = CODECS[0] as CodecConfig;
const VALIDATORS = [0, 1, 2];

/** An artifact that an honest node made in round 7, then damaged in one place; the member commits to what it made of it. */
describe("lies of members that validators refuse", () => {
  const resources = new AsyncDisposableStack();
  let honest: PreparedUpdate;
  let parts: ArtifactParts;
  /** The same member's update of round 6, and member 6's of round 7. */
  let earlier: PreparedUpdate;
  let others: PreparedUpdate;

  async function updateOf(round: number, memberId: number): Promise<PreparedUpdate> {
    const chain = new ScriptedChain(round);
    const node = await openMember(chain, await openMemoryStore(new MemoryNetwork()), resources, { memberId });
    const prepared = await prepareUpdateOnce(node, chain.view());
    assert.ok(prepared !== undefined);
    return prepared;
  }

  before(async () => {
    honest = await updateOf(7, PLACE.memberId);
    earlier = await updateOf(6, PLACE.memberId);
    others = await updateOf(7, 6);
    const { parsedSeal: _, ...decoded } = decodeArtifact(honest.artifact);
    parts = decoded;
  });
  after(() => resources.disposeAsync());

  /** Every validator refuses the bytes, each with the same code. */
  async function refused(
    bytes: Uint8Array | undefined,
    name: RefusalName,
    commit: Partial<UpdateCommitment> = {},
  ): Promise<void> {
    const artifactDigest = bytes === undefined ? honest.commitment.artifactDigest : toHex(chunkRoot(bytes));
    const commitment = { ...honest.commitment, artifactDigest, ...commit };
    assert.deepEqual(
      await Promise.all(
        VALIDATORS.map(async (index) => outcomeOf(await verifyArtifact(bytes, commitment, judgedBy(index)))),
      ),
      [name, name, name],
    );
  }
  const damaged = (changes: Partial<ArtifactParts>): Uint8Array => encodeArtifact({ ...parts, ...changes });
  const valuesWith = (at: number, value: number): Int32Array => {
    const { values } = decodePayload(parts.payload, int16, LAYOUT.size);
    values[at] = value;
    return values;
  };
  const sealed = (changes: Partial<Parameters<typeof sealOpening>[0]>): Uint8Array =>
    damaged({
      seal: sealOpening({
        opening: { loss: honest.loss, salt: honest.salt },
        recipients: judgedBy(0).recipients,
        context: sealContext({ ...PLACE, run: 1n }),
        contentKey: new Uint8Array(32).fill(42),
        ...changes,
      }),
    });

  it("none: what the node made is accepted by every validator, with its loss and at most the member's samples", async () => {
    for (const index of VALIDATORS) {
      const verdict = await verifyArtifact(honest.artifact, honest.commitment, judgedBy(index));
      assert.equal(outcomeOf(verdict), "accepted");
      const { samples, opening } = verdict as VerifiedUpdate;
      const values = await valuesOf(verdict as VerifiedUpdate);
      assert.deepEqual([samples, opening?.loss], [100, 1.5 * 65_536]);
      // 0.1 on 2^-18 and 2^-16, toward zero.
      assert.deepEqual([values[0], values[15]], [26_214, 6_553]);
    }
    // A seal that the test makes is as good as the node's, so that the lies about seals below differ in the lie alone.
    const bytes = sealed({});
    const commitment = { ...honest.commitment, artifactDigest: toHex(chunkRoot(bytes)) };
    assert.equal(outcomeOf(await verifyArtifact(bytes, commitment, judgedBy(0))), "accepted");
  });
  it("bytes that are never served", () => refused(undefined, "NOT_SERVED"));
  it("artifact whose bytes differ from the commit", async () => {
    const { artifactDigest } = honest.commitment;
    await refused(damaged({ payload: encodePayload(valuesWith(0, 1), int16) }), "WRONG_DIGEST", { artifactDigest });
  });
  it("wrong base model", () => refused(damaged({ baseHead: WRONG_HEAD }), "WRONG_BASE"));
  it("wrong layout", () => refused(damaged({ layoutDigest: WRONG_HEAD }), "WRONG_LAYOUT"));
  it("another codec than the run's", () =>
    refused(
      damaged({ codec: "int8", payload: encodePayload(valuesWith(0, 1), CODECS[1] as CodecConfig) }),
      "WRONG_LAYOUT",
    ));
  it("truncated", () => refused(honest.artifact.subarray(0, -1), "MALFORMED"));
  it("trailing garbage", () => refused(concatBytes(honest.artifact, Uint8Array.of(0)), "MALFORMED"));
  it("non-canonical: the same values under another scale", async () => {
    // Blocks of a zero update with the scale 2 mean the same zeros.
    const content = encodeBlocks(new Int32Array(LAYOUT.size), blockForm(2, 5));
    content[3] = 2;
    await refused(damaged({ payload: compress(content) }), "MALFORMED");
  });
  it("zip bomb", () => refused(damaged({ payload: compress(new Uint8Array(1 << 22)) }), "MALFORMED"));
  it("NaN, Infinity and −0: no bytes of a payload mean one", () => {
    const special = new Uint8Array(16);
    const floats = new DataView(special.buffer);
    for (const [i, value] of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0].entries())
      floats.setFloat32(4 * i, value);
    for (let at = 0; at + 16 <= 48; at++) {
      const content = encodeBlocks(valuesWith(0, 1), blockForm(2, 5));
      content.set(special, at);
      let decoded: { values: Int32Array; offGrid?: { value: number } };
      try {
        decoded = decodePayload(compress(content), int16, LAYOUT.size);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "MALFORMED_INPUT");
        continue;
      }
      assert.ok(Number.isSafeInteger(decoded.offGrid?.value ?? 0));
    }
  });
  it("coordinate above the bound", () =>
    refused(damaged({ payload: encodePayload(valuesWith(2, 120_000), int16) }), "COORDINATE_BOUND"));
  it("norm above the bound", () =>
    refused(damaged({ payload: encodePayload(new Int32Array(LAYOUT.size).fill(99_000), int16) }), "NORM_BOUND"));
  it("another member's artifact", async () => {
    const { artifactDigest } = others.commitment;
    await refused(others.artifact, "WRONG_MEMBER", { artifactDigest });
  });
  it("replayed artifact", async () => {
    const { artifactDigest } = earlier.commitment;
    await refused(earlier.artifact, "WRONG_ROUND", { artifactDigest });
  });
  it("another run's artifact", () => refused(damaged({ run: 2n }), "WRONG_RUN"));
  it("more samples in the commit than in the artifact", () =>
    refused(honest.artifact, "WRONG_SAMPLES", { samples: 99 }));

  it("seal that opens for some recipients only", async () => {
    for (const victim of VALIDATORS) {
      const seal = parts.seal.slice();
      seal[34 + 48 * victim] = (seal[34 + 48 * victim] as number) ^ 1;
      await refused(damaged({ seal }), "BAD_SEAL");
    }
  });
  it("seal for other recipients than the round's", () =>
    refused(sealed({ recipients: judgedBy(0).recipients.slice(0, 2) }), "BAD_SEAL"));
  it("another member's seal", async () => {
    const { seal } = decodeArtifact(others.artifact);
    await refused(damaged({ seal }), "BAD_SEAL");
  });
  it("loss opening that does not open", () =>
    refused(sealed({ opening: { loss: honest.loss - 1, salt: honest.salt } }), "BAD_OPENING"));
});
