// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { withBitswap } from "@helia/bitswap";
import { withLibp2pLight } from "@helia/libp2p";
import { unixfs } from "@helia/unixfs";
import { identify } from "@libp2p/identify";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createHeliaLight } from "helia";
import type { CID } from "multiformats/cid";
import type { ContentId } from "../../src/protocol/contentStore.ts";
import { toCid } from "../../src/storage/contentId.ts";
import {
  type HeliaStore,
  type HeliaStoreOptions,
  openHeliaStore,
  type StoreProblem,
} from "../../src/storage/heliaStore.ts";
import { importContent } from "../../src/storage/importContent.ts";
import { generateSwarmKey } from "../../src/storage/swarmKey.ts";
import { contentStoreContract } from "./contentStore.contract.ts";
import { MIB, pause, rejectsWith, sampleBytes, temporaryFolder, until } from "./support.ts";

const GENEROUS = { maxBytes: 64 * MIB, timeoutMs: 60_000 };
const BRIEF = { maxBytes: 64 * MIB, timeoutMs: 250 };

async function opened(t: TestContext, options: HeliaStoreOptions = {}): Promise<HeliaStore> {
  const store = await openHeliaStore(options);
  t.after(() => store.close());
  return store;
}

async function connected(a: HeliaStore, b: HeliaStore): Promise<void> {
  await until(() => a.connectedPeers().includes(b.peerId) && b.connectedPeers().includes(a.peerId), "connected");
}

async function openPair(t: TestContext, withFolders: boolean): Promise<{ writer: HeliaStore; reader: HeliaStore }> {
  const folder = async (): Promise<string | undefined> => (withFolders ? temporaryFolder(t) : undefined);
  const writer = await opened(t, { folder: await folder() });
  const reader = await opened(t, { folder: await folder(), peers: writer.addresses() });
  await connected(writer, reader);
  return { writer, reader };
}

contentStoreContract("heliaStore in memory", { readerHolds: true, open: (t) => openPair(t, false) });
contentStoreContract("heliaStore in a folder", { readerHolds: true, open: (t) => openPair(t, true) });

describe("heliaStore serves only what it was told to serve", () => {
  it("A → B → C: C gets nothing of what B fetched until B serves it", async (t) => {
    const a = await opened(t);
    const b = await opened(t, { peers: a.addresses() });
    const c = await opened(t, { peers: b.addresses(), allowPeers: [b.peerId] });
    await connected(a, b);
    await connected(b, c);
    const bytes = sampleBytes(2 * MIB + 9);
    const cid = await a.put(bytes);
    await a.serve(cid);
    await b.get(cid, GENEROUS);

    await rejectsWith(c.get(cid, BRIEF), "CONTENT_TIMEOUT", { cid, timeoutMs: BRIEF.timeoutMs });

    const waiting = c.get(cid, GENEROUS);
    await pause(50);
    await b.serve(cid);
    assert.deepEqual(await waiting, bytes);
  });

  it("gives away no single block of a held object, to whoever knows its name", async (t) => {
    const store = await opened(t);
    const bytes = sampleBytes(MIB + 100);
    const cid = await store.put(bytes);
    const blocks: CID[] = [];
    await importContent(bytes, async (block) => {
      blocks.push(block);
    });
    assert.equal(blocks.length, 3);
    const ask = async (milliseconds: number): Promise<string[]> => {
      const stranger = await vanillaNode(t);
      await stranger.libp2p.dial(store.addresses().map(multiaddr));
      const answers = await Promise.allSettled(
        blocks.map((block) => readAll(stranger.blockstore.get(block, { signal: AbortSignal.timeout(milliseconds) }))),
      );
      return answers.map(({ status }) => status);
    };
    assert.deepEqual(await ask(200), ["rejected", "rejected", "rejected"]);
    await store.serve(cid);
    assert.deepEqual(await ask(5_000), ["fulfilled", "fulfilled", "fulfilled"]);
  });

  it("reaches a waiting get well within 300 ms of serve", async (t) => {
    const { writer, reader } = await openPair(t, false);
    const latencies: number[] = [];
    for (let i = 0; i < 5; i++) {
      const cid = await writer.put(sampleBytes(20_000, i + 1));
      const waiting = reader.get(cid, GENEROUS);
      await pause(40);
      const start = performance.now();
      await writer.serve(cid);
      await waiting;
      latencies.push(performance.now() - start);
    }
    latencies.sort((x, y) => x - y);
    t.diagnostic(`serve to arrival, milliseconds: ${latencies.map((ms) => ms.toFixed(1)).join(", ")}`);
    assert.ok(latencies[2]! < 300, `median ${latencies[2]} ms`);
  });
});

describe("heliaStore and its peers", { concurrency: 4 }, () => {
  it("gets from a peer that dials in while it already waits, and that speaks to nobody else", async (t) => {
    const b = await opened(t);
    const c = await opened(t);
    const bytes = sampleBytes(MIB + 50);
    const cid = await b.cidOf(bytes);
    const [atB, atC] = [b.get(cid, GENEROUS), c.get(cid, BRIEF)];
    const unserved = rejectsWith(atC, "CONTENT_TIMEOUT");
    await pause(50);
    const selective = await opened(t, {
      listen: [],
      allowPeers: [b.peerId],
      peers: [...b.addresses(), ...c.addresses()],
    });
    assert.equal(await selective.put(bytes), cid);
    await selective.serve(cid);
    assert.deepEqual(await atB, bytes);
    await unserved;
    assert.deepEqual(selective.connectedPeers(), [b.peerId]);
    assert.deepEqual(c.connectedPeers(), []);
  });

  it("refuses peers that are not allowed, whoever dials", async (t) => {
    const a = await opened(t);
    const b = await opened(t, { allowPeers: [a.peerId] });
    const stranger = await opened(t, { peers: b.addresses() });
    a.addPeer(b.addresses()[0]!);
    await connected(a, b);
    await pause(150);
    assert.deepEqual(b.connectedPeers(), [a.peerId]);
    const cid = await b.put(sampleBytes(10));
    await b.serve(cid);
    await rejectsWith(stranger.get(cid, BRIEF), "CONTENT_TIMEOUT");
  });

  it("refuses peers without the swarm key", async (t) => {
    const folder = await temporaryFolder(t);
    const [ours, theirs] = [join(folder, "ours.key"), join(folder, "theirs.key")];
    await writeFile(ours, generateSwarmKey());
    await writeFile(theirs, generateSwarmKey());
    const a = await opened(t, { swarmKeyFile: ours });
    const b = await opened(t, { swarmKeyFile: ours, peers: a.addresses() });
    const foreign = await opened(t, { swarmKeyFile: theirs, peers: a.addresses() });
    const keyless = await opened(t, { peers: a.addresses() });
    await connected(a, b);
    await pause(150);
    assert.deepEqual(a.connectedPeers(), [b.peerId]);
    assert.deepEqual([...foreign.connectedPeers(), ...keyless.connectedPeers()], []);
    const bytes = sampleBytes(MIB + 1);
    const cid = await a.put(bytes);
    await a.serve(cid);
    assert.deepEqual(await b.get(cid, GENEROUS), bytes);
  });

  it("connects to nobody that it was not told of, though it hears of them", async (t) => {
    const hub = await opened(t);
    const spokes = await Promise.all([1, 2, 3].map(() => opened(t, { peers: hub.addresses() })));
    await until(() => hub.connectedPeers().length === 3, "three spokes");
    await pause(100);
    for (const spoke of spokes) assert.deepEqual(spoke.connectedPeers(), [hub.peerId]);
  });

  it("finds a peer again that comes back at its address", async (t) => {
    const folder = await temporaryFolder(t);
    const first = await opened(t, { folder });
    const listen = first.addresses().map((address) => address.replace(/\/p2p\/.*/, ""));
    // By address alone, as an operator would write who does not know the identity yet.
    const reader = await opened(t, { peers: listen });
    await connected(first, reader);
    const bytes = sampleBytes(1000);
    const cid = await first.put(bytes);
    await first.close();
    const waiting = reader.get(cid, GENEROUS);
    const second = await opened(t, { folder, listen });
    await second.serve(cid);
    assert.deepEqual(await waiting, bytes);
  });

  it("asks the next one when the peer that has it goes silent or away", async (t) => {
    const [first, second] = [await opened(t), await opened(t)];
    const reader = await opened(t, { peers: [...first.addresses(), ...second.addresses()] });
    await connected(first, reader);
    await connected(second, reader);
    const bytes = sampleBytes(12 * MIB);
    const cid = await first.put(bytes);
    await second.put(bytes);
    await Promise.all([first.serve(cid), second.serve(cid)]);
    const chunks: Uint8Array[] = [];
    for await (const chunk of reader.getStream(cid, GENEROUS)) {
      chunks.push(chunk);
      if (chunks.length === 3) await first.close();
    }
    assert.deepEqual(new Uint8Array(Buffer.concat(chunks)), bytes);
  });

  it("runs ten nodes in a process that all fetch from each other", async (t) => {
    const hubs = [await opened(t), await opened(t)];
    const others = await Promise.all(
      Array.from({ length: 8 }, () => opened(t, { peers: hubs.flatMap((hub) => hub.addresses()) })),
    );
    await until(() => hubs.every((hub) => hub.connectedPeers().length >= 8), "all connected");
    const objects = others.map((_, i) => sampleBytes(3000 + i, i + 1));
    const cids = await Promise.all(others.map((node, i) => node.put(objects[i]!)));
    const waiting = hubs.flatMap((hub) => cids.map((cid) => hub.get(cid, GENEROUS)));
    await Promise.all(others.map((node, i) => node.serve(cids[i]!)));
    for (const [i, bytes] of (await Promise.all(waiting)).entries()) assert.deepEqual(bytes, objects[i % 8]);
  });
});

describe("heliaStore over restarts", () => {
  it("keeps its identity, its objects, and which of them are served and pinned", async (t) => {
    const folder = await temporaryFolder(t);
    const first = await opened(t, { folder });
    const [served, pinned, held] = [sampleBytes(MIB + 4, 1), sampleBytes(40, 2), sampleBytes(50, 3)];
    const [servedCid, pinnedCid, heldCid] = [await first.put(served), await first.put(pinned), await first.put(held)];
    await first.serve(servedCid!);
    await first.pin(pinnedCid!);
    await first.close();
    assert.equal((await stat(join(folder, "identity.key"))).mode & 0o077, 0);

    const second = await opened(t, { folder });
    assert.equal(second.peerId, first.peerId);
    assert.deepEqual(await Promise.all([servedCid, pinnedCid, heldCid].map((cid) => second.serves(cid!))), [
      true,
      false,
      false,
    ]);
    const reader = await opened(t, { peers: second.addresses() });
    assert.deepEqual(await reader.get(servedCid!, GENEROUS), served);
    await rejectsWith(reader.get(heldCid!, BRIEF), "CONTENT_TIMEOUT");
    assert.deepEqual(await second.reclaim(), { objects: 1, bytes: 50 });
    assert.equal(await second.has(pinnedCid!), true);
  });

  it("gives up, aloud, an object that lost a block while nobody was looking, and gets it again", async (t) => {
    const folder = await temporaryFolder(t);
    const peer = await opened(t);
    const bytes = sampleBytes(2 * MIB);
    const cid = await peer.put(bytes);
    await peer.serve(cid);
    const first = await opened(t, { folder, peers: peer.addresses() });
    await first.get(cid, GENEROUS);
    await first.pin(cid);
    await first.close();
    const root = Buffer.from(toCid(cid).multihash.digest).toString("hex");
    await writeFile(join(folder, "blocks", root.slice(0, 2), root), "damaged");

    const problems: StoreProblem[] = [];
    const second = await opened(t, { folder, peers: peer.addresses(), onProblem: (problem) => problems.push(problem) });
    assert.equal(await second.has(cid), false);
    const warning = problems.find(({ severity }) => severity === "warn");
    assert.deepEqual(warning?.values, { cid, bytes: bytes.length, served: false, pinned: true });
    assert.deepEqual(await second.get(cid, GENEROUS), bytes);
  });

  it("replaces a leaf that was damaged while it runs, from a peer", async (t) => {
    const folder = await temporaryFolder(t);
    const peer = await opened(t);
    const bytes = sampleBytes(MIB + 200);
    const cid = await peer.put(bytes);
    await peer.serve(cid);
    const store = await opened(t, { folder, peers: peer.addresses() });
    await store.get(cid, GENEROUS);
    for (const path of await leafFiles(folder)) {
      const leaf = await readFile(path);
      leaf[0]! ^= 1;
      await writeFile(path, leaf);
    }
    assert.deepEqual(await store.get(cid, GENEROUS), bytes);
    assert.deepEqual(await store.get(cid, { ...GENEROUS, timeoutMs: 0 }), bytes);
  });
});

describe("heliaStore and other implementations of bitswap", { concurrency: 4 }, () => {
  it("gives served objects to @helia/bitswap, which reads them as UnixFS", async (t) => {
    const store = await opened(t);
    const bytes = sampleBytes(3 * MIB + 1);
    const cid = await store.put(bytes);
    await store.serve(cid);
    const node = await vanillaNode(t);
    await node.libp2p.dial(store.addresses().map(multiaddr));
    assert.deepEqual(await readAll(unixfs(node).cat(toCid(cid), { signal: AbortSignal.timeout(10_000) })), bytes);
  });

  it("gets objects from @helia/bitswap, also when it waits for them", async (t) => {
    const node = await vanillaNode(t);
    const store = await opened(t, { peers: node.libp2p.getMultiaddrs().map(String) });
    await until(() => store.connectedPeers().length === 1, "connected");
    const bytes = sampleBytes(3 * MIB + 1);
    const cid = await store.cidOf(bytes);
    const waiting = store.get(cid, GENEROUS);
    await pause(30);
    const imported = await importContent(bytes, async (block, data) => {
      await node.blockstore.put(block, data);
    });
    assert.equal(imported, cid);
    assert.deepEqual(await waiting, bytes);
  });

  it("CONTENT_MISMATCH: an object imported with other parameters", async (t) => {
    const node = await vanillaNode(t);
    const store = await opened(t, { peers: node.libp2p.getMultiaddrs().map(String) });
    // Helia's own importer: a width of 1024, which shows above 174 chunks only; so smaller chunks, too.
    const fs = unixfs(node);
    const { fixedSize } = await import("ipfs-unixfs-importer/chunker");
    const foreign = await fs.addBytes(sampleBytes(5000), { chunker: fixedSize({ chunkSize: 1000 }) });
    const cid = foreign.toString() as ContentId;
    await rejectsWith(store.get(cid, GENEROUS), "CONTENT_MISMATCH", { expected: cid });
    assert.equal(await store.has(cid), false);
  });

  it("CONTENT_MISMATCH: a directory", async (t) => {
    const node = await vanillaNode(t);
    const store = await opened(t, { peers: node.libp2p.getMultiaddrs().map(String) });
    const cid = (await unixfs(node).addDirectory()).toString() as ContentId;
    await rejectsWith(store.get(cid, GENEROUS), "CONTENT_MISMATCH", { expected: cid });
  });
});

async function vanillaNode(t: TestContext) {
  const node = withBitswap(
    withLibp2pLight(createHeliaLight(), {
      addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify() },
    }),
  );
  await node.start();
  t.after(async () => {
    await node.stop();
  });
  return node;
}

async function readAll(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of chunks) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

async function leafFiles(folder: string): Promise<string[]> {
  const entries = await readdir(join(folder, "blocks"), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = await Promise.all(files.map(async (path) => (await stat(path)).size));
  return files.filter((_, i) => sizes[i]! >= 200);
}
