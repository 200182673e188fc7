// SPDX-License-Identifier: Apache-2.0
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { ContentId, ContentStore } from "../protocol/contentStore.ts";

/** A store in the hands of somebody else: an HTTP gateway that flips one byte of one object. */
export async function startLyingGateway(
  store: ContentStore,
  target: ContentId,
  maxBytes: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    void (async () => {
      const id = /^\/ipfs\/([a-z0-9]+)$/.exec(request.url ?? "")?.[1] as ContentId | undefined;
      if (id === undefined) {
        response.writeHead(404).end();
        return;
      }
      const bytes = new Uint8Array(await store.get(id, { maxBytes, timeoutMs: 10_000 }));
      if (id === target) bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
      response
        .writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes.length })
        .end(bytes);
    })().catch(() => response.writeHead(404).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
