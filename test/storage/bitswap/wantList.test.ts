// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { beforeEach, describe, it } from "node:test";
import { CID } from "multiformats/cid";
import * as Digest from "multiformats/hashes/digest";
import { WantList } from "../../../src/storage/bitswap/wantList.ts";

const BLOCK = Uint8Array.of(1, 2, 3);
const CID_OF_BLOCK = CID.createV1(0x55, Digest.create(0x12, createHash("sha256").update(BLOCK).digest()));
const HAVE = [{ cid: CID_OF_BLOCK.bytes, have: true }];
const DONT_HAVE = [{ cid: CID_OF_BLOCK.bytes, have: false }];
const SENT = [{ prefix: new Uint8Array(), data: BLOCK }];

describe("wantList", () => {
  let wants: WantList;
  /** What was said to peers since it was last looked at, e.g. "a have?", "b block!", "a cancel". */
  let said: string[];
  const takeSaid = (): string[] => said.splice(0);
  const connect = (peer: string): void =>
    wants.peerConnected(peer, {
      want: (_key, _cid, { haveOnly }) => void said.push(`${peer} ${haveOnly ? "have?" : "block!"}`),
      cancel: () => void said.push(`${peer} cancel`),
    });
  const never = new AbortController().signal;

  beforeEach(() => {
    wants = new WantList();
    said = [];
  });

  it("asks all, takes the block from the first that has it, and tells the others that it is over", async () => {
    for (const peer of ["a", "b", "c"]) connect(peer);
    const fetched = wants.fetch(CID_OF_BLOCK, never);
    assert.deepEqual(takeSaid(), ["a have?", "b have?", "c have?"]);
    wants.receivePresences("b", HAVE);
    wants.receivePresences("c", HAVE);
    assert.deepEqual(takeSaid(), ["b block!"]);
    wants.receiveBlocks("b", SENT);
    assert.deepEqual(await fetched, { bytes: BLOCK, from: "b" });
    assert.deepEqual(takeSaid(), ["a cancel", "c cancel"]);
    assert.equal(wants.size, 0);
  });

  it("asks the preferred peer alone, and the others when it does not have it", () => {
    connect("a");
    connect("b");
    void wants.fetch(CID_OF_BLOCK, never, "b");
    assert.deepEqual(takeSaid(), ["b block!"]);
    wants.receivePresences("b", DONT_HAVE);
    assert.deepEqual(takeSaid(), ["a have?", "b have?"]);
  });

  it("goes to the next that has it when the one asked leaves", () => {
    connect("a");
    connect("b");
    void wants.fetch(CID_OF_BLOCK, never);
    wants.receivePresences("a", HAVE);
    wants.receivePresences("b", HAVE);
    takeSaid();
    wants.peerDisconnected("a");
    assert.deepEqual(takeSaid(), ["b block!"]);
  });

  it("goes to the next that has it when the one asked stalls, and still takes a late answer", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    connect("a");
    connect("b");
    const fetched = wants.fetch(CID_OF_BLOCK, never);
    wants.receivePresences("a", HAVE);
    wants.receivePresences("b", HAVE);
    takeSaid();
    t.mock.timers.tick(2_999);
    assert.deepEqual(takeSaid(), []);
    t.mock.timers.tick(1);
    assert.deepEqual(takeSaid(), ["b block!"]);
    wants.receiveBlocks("a", SENT);
    assert.equal((await fetched).from, "a");
    assert.deepEqual(takeSaid(), ["b cancel"]);
  });

  it("asks again after a silence, ever more rarely", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    connect("a");
    void wants.fetch(CID_OF_BLOCK, never);
    const askedAt: number[] = [];
    for (let second = 0; second < 70; second++) {
      if (takeSaid().length > 0) askedAt.push(second);
      t.mock.timers.tick(1_000);
    }
    assert.deepEqual(askedAt, [0, 1, 3, 7, 15, 31, 47, 63]);
  });

  it("tells a peer that connects, or connects again, of every open want", () => {
    void wants.fetch(CID_OF_BLOCK, never);
    assert.deepEqual(takeSaid(), []);
    connect("a");
    assert.deepEqual(takeSaid(), ["a have?"]);
    connect("a");
    assert.deepEqual(takeSaid(), ["a have?"]);
  });

  it("ends a want with its last waiter only", async () => {
    connect("a");
    const [first, second] = [new AbortController(), new AbortController()];
    const waiting = [first, second].map(({ signal }) => assert.rejects(wants.fetch(CID_OF_BLOCK, signal), /enough/));
    takeSaid();
    first.abort(new Error("enough"));
    assert.deepEqual(takeSaid(), []);
    second.abort(new Error("enough"));
    assert.deepEqual(takeSaid(), ["a cancel"]);
    await Promise.all(waiting);
    assert.equal(wants.size, 0);
    const again = wants.fetch(CID_OF_BLOCK, never);
    assert.deepEqual(takeSaid(), ["a have?"]);
    wants.receiveBlocks("a", SENT);
    await again;
  });

  it("drops blocks that nobody wants, and other bytes under a wanted name", () => {
    connect("a");
    wants.receiveBlocks("a", SENT);
    void wants.fetch(CID_OF_BLOCK, never);
    wants.receiveBlocks("a", [{ prefix: CID_OF_BLOCK.bytes, data: Uint8Array.of(9) }]);
    wants.receivePresences("a", [{ cid: Uint8Array.of(1), have: true }]);
    assert.equal(wants.size, 1);
  });
});
