// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import express from "express";
import { gatewayHandler } from "../../src/storage/gatewayHandler.ts";
import { openGatewayStore } from "../../src/storage/gatewayStore.ts";
import { openMemoryStore } from "../../src/storage/memoryStore.ts";
import { contentStoreContract } from "./contentStore.contract.ts";
import { MIB, pause, rejectsWith, sampleBytes } from "./support.ts";

async function listening(t: TestContext, handler: RequestListener): Promise<string> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

contentStoreContract("gatewayStore over gatewayHandler", {
  readerHolds: false,
  async open(t) {
    const writer = await openMemoryStore();
    const reader = openGatewayStore(
      await listening(t, (request, response) => gatewayHandler(writer)(request, response)),
    );
    t.after(() => Promise.all([writer.close(), reader.close()]));
    return { writer, reader };
  },
});

describe("gatewayStore", () => {
  const object = sampleBytes(2 * MIB + 10);
  const options = { maxBytes: 4 * MIB, timeoutMs: 5_000 };

  async function getFrom(t: TestContext, handler: RequestListener, overrides = {}): Promise<Uint8Array> {
    const store = openGatewayStore(await listening(t, handler));
    t.after(() => store.close());
    return store.get(await store.cidOf(object), { ...options, ...overrides });
  }

  it("CONTENT_MISMATCH: one bit flipped", async (t) => {
    const altered = object.slice();
    altered[MIB + 5]! ^= 1;
    const store = openGatewayStore(await listening(t, (_, response) => response.end(altered)));
    const [expected, actual] = [await store.cidOf(object), await store.cidOf(altered)];
    await rejectsWith(store.get(expected, options), "CONTENT_MISMATCH", { expected, actual });
  });

  it("CONTENT_MISMATCH: complete by its own account, but short", async (t) => {
    await rejectsWith(
      getFrom(t, (_, response) => response.end(object.subarray(0, -1))),
      "CONTENT_MISMATCH",
    );
  });

  it("CONTENT_TOO_LARGE: by its header, before the body", async (t) => {
    await rejectsWith(
      getFrom(t, (_, response) => response.writeHead(200, { "content-length": 5 * MIB }).flushHeaders()),
      "CONTENT_TOO_LARGE",
      { atLeastBytes: 5 * MIB },
    );
  });

  it("CONTENT_TOO_LARGE: a body without end", async (t) => {
    let sent = 0;
    await rejectsWith(
      getFrom(t, (_, response) => {
        const more = (): void => {
          while (!response.destroyed && response.write(object)) sent += object.length;
        };
        response.on("drain", more);
        more();
      }),
      "CONTENT_TOO_LARGE",
    );
    assert.ok(sent < 64 * MIB, `${sent} bytes were taken`);
  });

  it("CONTENT_TIMEOUT: a gateway that never answers, and one that stops in the middle", async (t) => {
    await rejectsWith(
      getFrom(t, () => {}, { timeoutMs: 100 }),
      "CONTENT_TIMEOUT",
      { timeoutMs: 100 },
    );
    await rejectsWith(
      getFrom(t, (_, response) => response.write(object), { timeoutMs: 100 }),
      "CONTENT_TIMEOUT",
    );
  });

  it("STORE_UNREACHABLE: nobody listens, the connection breaks, the server fails", async (t) => {
    const nobody = openGatewayStore("http://127.0.0.1:1");
    await rejectsWith(nobody.get(await nobody.cidOf(object), options), "STORE_UNREACHABLE");
    await rejectsWith(
      getFrom(t, (_, response) => {
        response.writeHead(200, { "content-length": object.length });
        response.write(object.subarray(0, 1000), () => response.destroy());
      }),
      "STORE_UNREACHABLE",
    );
    await rejectsWith(
      getFrom(t, (_, response) => response.writeHead(500).end()),
      "STORE_UNREACHABLE",
    );
  });

  it("cancels a request in the middle of a body", async (t) => {
    const controller = new AbortController();
    const work = getFrom(t, (_, response) => response.write(object.subarray(0, 10)), { signal: controller.signal });
    const rejected = assert.rejects(work, /enough/);
    await pause(30);
    controller.abort(new Error("enough"));
    await rejected;
  });

  it("STORE_READ_ONLY: whatever would need to hold something", async () => {
    const store = openGatewayStore("http://127.0.0.1:1");
    const cid = await store.cidOf(object);
    await rejectsWith(store.put(object), "STORE_READ_ONLY", { operation: "put" });
    await rejectsWith(store.serve(cid), "STORE_READ_ONLY", { operation: "serve" });
    await rejectsWith(store.pin(cid), "STORE_READ_ONLY", { operation: "pin" });
    await rejectsWith(store.unpin(cid), "STORE_READ_ONLY", { operation: "unpin" });
    assert.deepEqual(await store.reclaim(), { objects: 0, bytes: 0 });
  });

  it("STORE_CONFIG_INVALID: no base URL", () => {
    for (const url of ["", "127.0.0.1:8080", "ftp://host", "http://host/?a=b", "http://host/#x"]) {
      assert.throws(() => openGatewayStore(url), { code: "STORE_CONFIG_INVALID" }, url);
    }
  });
});

describe("gatewayHandler", () => {
  it("answers GET and HEAD of served objects with their length, and 404 alike for held and for absent ones", async (t) => {
    const store = await openMemoryStore();
    const base = await listening(t, (request, response) => gatewayHandler(store)(request, response));
    const bytes = sampleBytes(MIB + 1);
    const cid = await store.put(bytes);
    const absent = await store.cidOf(sampleBytes(3, 9));
    const held = await fetch(`${base}/ipfs/${cid}`);
    const missing = await fetch(`${base}/ipfs/${absent}`);
    assert.equal(held.status, 404);
    assert.equal((await held.text()).replaceAll(cid, "…"), (await missing.text()).replaceAll(absent, "…"));
    await store.serve(cid);
    const response = await fetch(`${base}/ipfs/${cid}?download=true`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-length"), String(bytes.length));
    assert.equal(response.headers.get("etag"), `"${cid}"`);
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), bytes);
    const head = await fetch(`${base}/ipfs/${cid}`, { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), String(bytes.length));
    assert.equal((await head.arrayBuffer()).byteLength, 0);
  });

  it("refuses other methods, malformed ids and other paths with code and status", async (t) => {
    const store = await openMemoryStore();
    const base = await listening(t, (request, response) => gatewayHandler(store)(request, response));
    const answer = async (path: string, method = "GET"): Promise<[number, string]> => {
      const response = await fetch(`${base}${path}`, { method });
      return [response.status, ((await response.json()) as { code: string }).code];
    };
    assert.deepEqual(await answer("/ipfs/nonsense"), [400, "CONTENT_ID_MALFORMED"]);
    assert.deepEqual(await answer("/ipfs/"), [400, "CONTENT_ID_MALFORMED"]);
    assert.deepEqual(await answer("/etc/passwd"), [404, "CONTENT_NOT_FOUND"]);
    assert.deepEqual(await answer("/ipfs/x", "POST"), [405, "STORE_READ_ONLY"]);
    await store.close();
  });

  it("works as express middleware and lets other paths through", async (t) => {
    const store = await openMemoryStore();
    const app = express();
    app.use(gatewayHandler(store));
    app.get("/status", (_, response) => void response.send("well"));
    const base = await listening(t, app);
    const cid = await store.put(sampleBytes(100));
    await store.serve(cid);
    assert.equal((await (await fetch(`${base}/ipfs/${cid}`)).arrayBuffer()).byteLength, 100);
    assert.equal(await (await fetch(`${base}/status`)).text(), "well");
  });
});
