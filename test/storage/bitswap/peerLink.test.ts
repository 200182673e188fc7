// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { CID } from "multiformats/cid";
import * as Digest from "multiformats/hashes/digest";
import type { BitswapMessage, WantEntry } from "../../../src/storage/bitswap/message.ts";
import { PeerLink } from "../../../src/storage/bitswap/peerLink.ts";
import { type BlockKey, blockKeyOf } from "../../../src/storage/contentId.ts";
import { MIB, pause, sampleBytes, until } from "../support.ts";

/** A link, what it sent, and a served set that the test changes. */
function openLink(failures = 0) {
  const served = new Map<BlockKey, Uint8Array>();
  const sent: BitswapMessage[] = [];
  const state = { failures, reads: 0 };
  const link = new PeerLink(
    {
      has: (key) => served.has(key),
      get: async (key) => {
        state.reads++;
        return served.get(key);
      },
    },
    async (message) => {
      if (state.failures-- > 0) throw new Error("connection lost");
      sent.push(message);
    },
  );
  return { link, served, sent, state };
}

function block(seed: number, length = 10, codec = 0x55): { cid: CID; key: BlockKey; bytes: Uint8Array } {
  const bytes = sampleBytes(length, seed);
  const cid = CID.createV1(codec, Digest.create(0x12, createHash("sha256").update(bytes).digest()));
  return { cid, key: blockKeyOf(cid), bytes };
}

function want(cid: CID, overrides: Partial<WantEntry> = {}): { full: boolean; wants: WantEntry[] } {
  return {
    full: false,
    wants: [{ cid: cid.bytes, cancel: false, haveOnly: false, sendDontHave: false, ...overrides }],
  };
}

const settled = (): Promise<void> => pause(20);

describe("peerLink", () => {
  it("says nothing of a block that is not served, and sends it when it comes to be, once", async () => {
    const { link, served, sent } = openLink();
    const { cid, key, bytes } = block(1);
    link.receiveWants(want(cid));
    await settled();
    assert.equal(sent.length, 0);
    served.set(key, bytes);
    link.blocksServed([key]);
    link.blocksServed([key]);
    await until(() => sent.length > 0, "sent");
    await settled();
    assert.equal(sent.length, 1);
    assert.deepEqual(
      sent[0]!.blocks.map(({ data }) => data),
      [bytes],
    );
    assert.equal(Buffer.from(sent[0]!.blocks[0]!.prefix).toString("hex"), "01551220");
  });

  it("forgets a want that the peer withdraws", async () => {
    const { link, served, sent } = openLink();
    const { cid, key, bytes } = block(1);
    link.receiveWants(want(cid));
    link.receiveWants(want(cid, { cancel: true }));
    served.set(key, bytes);
    link.blocksServed([key]);
    await settled();
    assert.equal(sent.length, 0);
  });

  it("forgets all wants when a full list without them comes", async () => {
    const { link, served, sent } = openLink();
    const { cid, key, bytes } = block(1);
    link.receiveWants(want(cid));
    link.receiveWants({ full: true, wants: [] });
    served.set(key, bytes);
    link.blocksServed([key]);
    await settled();
    assert.equal(sent.length, 0);
  });

  it("sends a served block each time it is asked for", async () => {
    const { link, served, sent } = openLink();
    const { cid, key, bytes } = block(1);
    served.set(key, bytes);
    for (const times of [1, 2, 3]) {
      link.receiveWants(want(cid));
      await until(() => sent.length === times, `sent ${times} times`);
    }
  });

  it("answers whether it has a leaf with yes, an inner node with the node, the absent with no when asked to", async () => {
    const { link, served, sent } = openLink();
    const [leaf, node, absent] = [block(1), block(2, 10, 0x70), block(3)];
    served.set(leaf.key, leaf.bytes).set(node.key, node.bytes);
    for (const { cid } of [leaf, node, absent]) link.receiveWants(want(cid, { haveOnly: true, sendDontHave: true }));
    await until(() => sent.length === 1, "sent");
    assert.deepEqual(
      sent[0]!.presences.map(({ cid, have }) => [CID.decode(cid).toString(), have]),
      [
        [leaf.cid.toString(), true],
        [absent.cid.toString(), false],
      ],
    );
    assert.deepEqual(
      sent[0]!.blocks.map(({ data }) => data),
      [node.bytes],
    );
  });

  it("reads a block only when its turn to be sent has come", async () => {
    const { link, served, sent, state } = openLink(1);
    const blocks = [1, 2, 3, 4].map((seed) => block(seed, MIB));
    for (const { key, bytes } of blocks) served.set(key, bytes);
    for (const { cid } of blocks) link.receiveWants(want(cid));
    await settled();
    assert.equal(state.reads, 1);
    link.receiveWants(want(blocks[3]!.cid, { cancel: true }));
    await until(() => sent.length === 3, "three messages of one block");
    await settled();
    assert.equal(state.reads, 3);
    assert.ok(sent.every((message) => message.blocks.length === 1));
  });

  it("lets a want and its cancellation annihilate, but still cancels what an earlier message asked", async () => {
    const { link, sent } = openLink();
    const { cid, key } = block(1);
    link.want(key, cid, { haveOnly: true, sendDontHave: false });
    await until(() => sent.length === 1, "asked");
    link.want(key, cid, { haveOnly: false, sendDontHave: true });
    link.cancel(key, cid);
    await until(() => sent.length === 2, "cancelled");
    assert.deepEqual(
      sent[1]!.wants.map(({ cancel }) => cancel),
      [true],
    );
  });

  it("sends a message again that the connection lost, and gives up in the end", async () => {
    const recovering = openLink(2);
    const { cid, key } = block(1);
    recovering.link.want(key, cid, { haveOnly: true, sendDontHave: false });
    await until(() => recovering.sent.length === 1, "sent at the third attempt");

    const lost = openLink(4);
    lost.link.want(key, cid, { haveOnly: true, sendDontHave: false });
    await until(() => lost.state.failures === 0, "four attempts");
    await pause(450);
    assert.equal(lost.sent.length, 0);
    lost.link.want(key, cid, { haveOnly: true, sendDontHave: false });
    await until(() => lost.sent.length === 1, "later messages pass");
  });

  it("ignores wants that are no CID of sha2-256", async () => {
    const { link, sent } = openLink();
    const identity = CID.createV1(0x55, Digest.create(0, new Uint8Array(4)));
    for (const cid of [new Uint8Array(), Uint8Array.of(1, 2, 3), identity.bytes]) {
      link.receiveWants({ full: false, wants: [{ cid, cancel: false, haveOnly: false, sendDontHave: true }] });
    }
    await settled();
    assert.equal(sent.length, 0);
  });

  it("remembers a bounded number of wants, the latest", async () => {
    const { link, served, sent } = openLink();
    const cids = Array.from({ length: 8193 }, (_, i) => block(i + 1).cid);
    for (const cid of cids) link.receiveWants(want(cid));
    for (const i of [0, 8192]) served.set(blockKeyOf(cids[i]!), sampleBytes(10, i + 1));
    link.blocksServed([blockKeyOf(cids[0]!), blockKeyOf(cids[8192]!)]);
    await until(() => sent.length > 0, "sent");
    assert.deepEqual(
      sent.flatMap(({ blocks }) => blocks.map(({ data }) => data)),
      [sampleBytes(10, 8193)],
    );
  });
});
