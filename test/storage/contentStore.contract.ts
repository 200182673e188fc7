// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { ContentId, ContentStore } from "../../src/protocol/contentStore.ts";
import { MIB, pause, rejectsWith, sampleBytes } from "./support.ts";

/** A store that is written to, and another that can reach it; closed after the test. */
export interface StorePair {
  readonly writer: ContentStore;
  readonly reader: ContentStore;
}

export interface ContractCase {
  readonly open: (t: TestContext) => Promise<StorePair>;
  /** False for a gateway: it holds nothing, and does not wait for what is not there yet. */
  readonly readerHolds: boolean;
}

const ABSENT = "bafybeidotielrw3im75htpgjowwatkd4rtggmzpefxezjphzb3s2ms2rzq" as ContentId;
const GENEROUS = { maxBytes: 64 * MIB, timeoutMs: 60_000 };
const BRIEF = { maxBytes: 64 * MIB, timeoutMs: 150 };

/** What every content store must do, run over each implementation. */
export function contentStoreContract(name: string, { open, readerHolds }: ContractCase): void {
  const absent = readerHolds ? "CONTENT_TIMEOUT" : "CONTENT_NOT_FOUND";
  // Only for who says nothing one waits in vain; whoever answers may take its time on a busy machine.
  const patience = readerHolds ? BRIEF : GENEROUS;

  describe(`${name} keeps the contract of a content store`, { concurrency: 4 }, () => {
    it("gives back what was put and served, at every boundary of the chunk size", async (t) => {
      const { writer, reader } = await open(t);
      for (const length of [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB + 5]) {
        const bytes = sampleBytes(length, length + 1);
        const cid = await writer.put(bytes);
        assert.equal(cid, await reader.cidOf(bytes));
        await writer.serve(cid);
        assert.deepEqual(await reader.get(cid, GENEROUS), bytes, `${length} bytes`);
        assert.deepEqual(await writer.get(cid, { ...GENEROUS, timeoutMs: 0 }), bytes, `${length} bytes, locally`);
        assert.equal(await writer.sizeOf(cid), length);
      }
    });

    it("does not let others have what was only put", async (t) => {
      const { writer, reader } = await open(t);
      const cid = await writer.put(sampleBytes(MIB + 7));
      assert.equal(await writer.has(cid), true);
      assert.equal(await writer.serves(cid), false);
      await rejectsWith(reader.get(cid, patience), absent, { cid });
      assert.equal(await reader.has(cid), false);
      await writer.serve(cid);
      assert.equal(await writer.serves(cid), true);
      assert.equal((await reader.get(cid, GENEROUS)).length, MIB + 7);
    });

    it("names a stream like its bytes, however it is cut", async (t) => {
      const { writer } = await open(t);
      const bytes = sampleBytes(MIB + 1000);
      const reused = new Uint8Array(64 * 1024);
      async function* pieces(): AsyncGenerator<Uint8Array> {
        for (let offset = 0; offset < bytes.length; offset += reused.length) {
          const piece = bytes.subarray(offset, offset + reused.length);
          reused.set(piece); // Like a reader that reuses its buffer.
          yield reused.subarray(0, piece.length);
        }
      }
      assert.equal(await writer.put(pieces()), await writer.cidOf([bytes.subarray(0, 1), bytes.subarray(1)]));
    });

    it("streams in chunks of at most 1 MiB", async (t) => {
      const { writer, reader } = await open(t);
      const bytes = sampleBytes(2 * MIB + 5);
      const cid = await writer.put(bytes);
      await writer.serve(cid);
      const chunks: Uint8Array[] = [];
      for await (const chunk of reader.getStream(cid, GENEROUS)) chunks.push(chunk);
      assert.ok(chunks.length >= 3 && chunks.every((chunk) => chunk.length <= MIB));
      assert.deepEqual(new Uint8Array(Buffer.concat(chunks)), bytes);
    });

    it("keeps its bytes when callers write into theirs", async (t) => {
      const { writer } = await open(t);
      const bytes = sampleBytes(100);
      const original = bytes.slice();
      const cid = await writer.put(bytes);
      bytes.fill(0);
      const first = await writer.get(cid, GENEROUS);
      assert.deepEqual(first, original);
      first.fill(0);
      assert.deepEqual(await writer.get(cid, GENEROUS), original);
    });

    it("CONTENT_TOO_LARGE: one byte above the bound, and not at the bound", async (t) => {
      const { writer, reader } = await open(t);
      const cid = await writer.put(sampleBytes(1000));
      await writer.serve(cid);
      await rejectsWith(reader.get(cid, { ...GENEROUS, maxBytes: 999 }), "CONTENT_TOO_LARGE", { cid, maxBytes: 999 });
      await rejectsWith(writer.get(cid, { ...GENEROUS, maxBytes: 999 }), "CONTENT_TOO_LARGE", { cid, maxBytes: 999 });
      assert.equal(await reader.has(cid), false);
      assert.equal((await reader.get(cid, { ...GENEROUS, maxBytes: 1000 })).length, 1000);
    });

    it(`${absent}: nobody has it`, async (t) => {
      const { reader } = await open(t);
      await rejectsWith(reader.get(ABSENT, patience), absent, { cid: ABSENT });
      await rejectsWith(reader.get(ABSENT, { ...BRIEF, timeoutMs: 0 }), "CONTENT_NOT_FOUND", { cid: ABSENT });
    });

    it("CONTENT_NOT_FOUND: serving, pinning or measuring what is not held", async (t) => {
      const { writer } = await open(t);
      await rejectsWith(writer.serve(ABSENT), "CONTENT_NOT_FOUND", { cid: ABSENT });
      await rejectsWith(writer.pin(ABSENT), "CONTENT_NOT_FOUND", { cid: ABSENT });
      await rejectsWith(writer.sizeOf(ABSENT), "CONTENT_NOT_FOUND", { cid: ABSENT });
      await writer.unpin(ABSENT);
      assert.equal(await writer.has(ABSENT), false);
    });

    it("CONTENT_ID_MALFORMED: everything that is not the one form of an id", async (t) => {
      const { reader } = await open(t);
      const malformed = {
        empty: "",
        text: "bafynonsense",
        CIDv0: "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
        "raw leaf": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        "upper case": ABSENT.toUpperCase(),
        "trailing character": `${ABSENT}a`,
        path: `${ABSENT}/x`,
        // The last base32 digit carries two bits beyond the digest's last byte.
        "spare bits": `${ABSENT.slice(0, -1)}r`,
      };
      for (const [what, text] of Object.entries(malformed)) {
        await rejectsWith(reader.get(text as ContentId, GENEROUS), "CONTENT_ID_MALFORMED", { text });
        await rejectsWith(reader.has(text as ContentId), "CONTENT_ID_MALFORMED", { text });
        await rejectsWith(reader.serves(text as ContentId), "CONTENT_ID_MALFORMED", { text });
        assert.ok(what);
      }
    });

    it("rejects a cancelled get with the caller's reason", async (t) => {
      const { writer, reader } = await open(t);
      const reason = new Error("the phase is over");
      const cid = await writer.put(sampleBytes(10));
      await writer.serve(cid);
      await assert.rejects(reader.get(cid, { ...GENEROUS, signal: AbortSignal.abort(reason) }), reason);
      const controller = new AbortController();
      const stream = reader.getStream(cid, { ...GENEROUS, signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(async () => {
        for await (const _ of stream);
      }, reason);
      assert.equal(await reader.has(cid), false);
    });

    it("STORE_CLOSED: after close", async (t) => {
      const { writer, reader } = await open(t);
      await reader.close();
      await reader.close();
      await rejectsWith(reader.get(ABSENT, GENEROUS), "STORE_CLOSED");
      await writer.close();
      await rejectsWith(writer.put(sampleBytes(1)), "STORE_CLOSED");
    });

    if (!readerHolds) return;

    it("holds what it fetched, and does not serve it", async (t) => {
      const { writer, reader } = await open(t);
      const cid = await writer.put(sampleBytes(5000));
      await writer.serve(cid);
      await reader.get(cid, GENEROUS);
      assert.equal(await reader.has(cid), true);
      assert.equal(await reader.serves(cid), false);
      await writer.close();
      assert.equal((await reader.get(cid, { ...GENEROUS, timeoutMs: 0 })).length, 5000);
    });

    it("waits for an object that is served later, also twice over", async (t) => {
      const { writer, reader } = await open(t);
      const bytes = sampleBytes(MIB + 3);
      const cid = await writer.put(bytes);
      const waiting = [reader.get(cid, GENEROUS), reader.get(cid, GENEROUS)];
      await pause(30);
      await writer.serve(cid);
      for (const got of await Promise.all(waiting)) assert.deepEqual(got, bytes);
    });

    it("goes on waiting for one caller when another gives up", async (t) => {
      const { writer, reader } = await open(t);
      const cid = await writer.put(sampleBytes(10));
      const impatient = new AbortController();
      const first = reader.get(cid, { ...GENEROUS, signal: impatient.signal });
      const second = reader.get(cid, GENEROUS);
      await pause(20);
      impatient.abort(new Error("given up"));
      await assert.rejects(first, /given up/);
      await writer.serve(cid);
      assert.equal((await second).length, 10);
    });

    it("leaves nothing of a get that was cancelled, and can get it again at once", async (t) => {
      const { writer, reader } = await open(t);
      const bytes = sampleBytes(5 * MIB);
      const cid = await writer.put(bytes);
      await writer.serve(cid);
      for await (const chunk of reader.getStream(cid, GENEROUS)) {
        assert.equal(chunk.length, MIB);
        break;
      }
      assert.equal(await reader.has(cid), false);
      assert.deepEqual(await reader.reclaim(), { objects: 0, bytes: 0 });
      await rejectsWith(reader.get(cid, { ...GENEROUS, timeoutMs: 0 }), "CONTENT_NOT_FOUND");
      assert.deepEqual(await reader.get(cid, GENEROUS), bytes);
    });

    it("leaves nothing of a put whose source fails", async (t) => {
      const { writer } = await open(t);
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield sampleBytes(MIB);
        throw new Error("disk error");
      }
      await assert.rejects(writer.put(failing()), /disk error/);
      assert.deepEqual(await writer.reclaim(), { objects: 0, bytes: 0 });
    });

    it("reclaims what is neither pinned nor served, and can fetch it again", async (t) => {
      const { writer, reader } = await open(t);
      const [pinned, served, neither] = [sampleBytes(MIB + 1, 1), sampleBytes(20, 2), sampleBytes(30, 3)];
      const cids = await Promise.all([pinned, served, neither].map((bytes) => writer.put(bytes)));
      await writer.pin(cids[0]!);
      await writer.serve(cids[1]!);
      assert.deepEqual(await writer.reclaim(), { objects: 1, bytes: 30 });
      assert.deepEqual(await Promise.all(cids.map((cid) => writer.has(cid))), [true, true, false]);
      await writer.unpin(cids[0]!);
      assert.deepEqual(await writer.reclaim(), { objects: 1, bytes: MIB + 1 });

      await reader.get(cids[1]!, GENEROUS);
      await reader.reclaim();
      assert.equal(await reader.has(cids[1]!), false);
      assert.deepEqual(await reader.get(cids[1]!, GENEROUS), served);
    });

    it("keeps chunks that two objects share until the last of them goes", async (t) => {
      const { writer } = await open(t);
      const head = sampleBytes(MIB, 1);
      const long = new Uint8Array([...head, 1, 2, 3]);
      const [shortCid, longCid] = [await writer.put(head), await writer.put(long)];
      await writer.pin(longCid);
      await writer.reclaim();
      assert.equal(await writer.has(shortCid), false);
      assert.deepEqual(await writer.get(longCid, { ...GENEROUS, timeoutMs: 0 }), long);
    });

    it("STORE_CLOSED: a get that waits while the store closes", async (t) => {
      const { reader } = await open(t);
      const waiting = reader.get(ABSENT, GENEROUS);
      const closed = rejectsWith(waiting, "STORE_CLOSED");
      await pause(20);
      await reader.close();
      await closed;
    });
  });
}
