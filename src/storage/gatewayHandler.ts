// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { ContentId, ContentStore } from "../protocol/contentStore.ts";
import { parseContentId } from "./contentId.ts";
import { StoreError } from "./errors.ts";

/** Fits `http.createServer` and express; `next` is called for paths that are not below `/ipfs/`. */
export type GatewayHandler = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;

/**
 * Offers a store's served objects over HTTP: `GET` and `HEAD /ipfs/{cid}`. Objects that are only held answer 404 like
 * absent ones, so that the answer does not tell that a member has committed something. It fetches nothing for the
 * caller: what this store does not have, an outsider cannot make it look for.
 *
 * Errors are JSON `{ code, message }` with the store's codes.
 */
export function gatewayHandler(store: ContentStore): GatewayHandler {
  return (request, response, next) => {
    const match = /^\/ipfs\/([^/?#]*)(?:[?#].*)?$/.exec(request.url ?? "");
    if (match === null) {
      if (next !== undefined) return next();
      return refuse(
        response,
        404,
        "CONTENT_NOT_FOUND",
        `There is nothing at ${request.url}; objects are at /ipfs/{cid}.`,
      );
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      return refuse(
        response,
        405,
        "STORE_READ_ONLY",
        `${request.method} is not possible; objects can be read with GET and HEAD.`,
      );
    }
    answer(store, match[1]!, request.method, response).catch((error: unknown) => fail(response, error));
  };
}

async function answer(store: ContentStore, text: string, method: string, response: ServerResponse): Promise<void> {
  const cid: ContentId = parseContentId(text);
  if (!(await store.serves(cid))) return refuse(response, 404, "CONTENT_NOT_FOUND", `${cid} is not served here.`);
  const bytes = await store.sizeOf(cid);
  response.writeHead(200, {
    "content-type": "application/octet-stream",
    "content-length": bytes,
    "cache-control": "public, max-age=29030400, immutable",
    etag: `"${cid}"`,
    "x-ipfs-path": `/ipfs/${cid}`,
    "x-content-type-options": "nosniff",
  });
  if (method === "HEAD") {
    response.end();
    return;
  }
  await pipeline(store.getStream(cid, { maxBytes: bytes, timeoutMs: 0 }), response);
}

function fail(response: ServerResponse, error: unknown): void {
  // Once the header is out, only a broken connection tells the client that the bytes are not all there.
  if (response.headersSent) response.destroy();
  else if (!(error instanceof StoreError)) refuse(response, 500, "STORE_UNREACHABLE", "The store failed; see its log.");
  else if (error.code === "CONTENT_ID_MALFORMED") refuse(response, 400, error.code, error.message);
  else if (error.code === "CONTENT_NOT_FOUND") refuse(response, 404, error.code, error.message);
  else refuse(response, 503, error.code, error.message);
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  const body = JSON.stringify({ code, message });
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}
