// SPDX-License-Identifier: Apache-2.0
import {
  type ContentId,
  type ContentSource,
  type ContentStore,
  DEFAULT_GET_TIMEOUT_MS,
  type GetOptions,
  type Reclaimed,
} from "../protocol/contentStore.ts";
import { toCid } from "./contentId.ts";
import { type Deadline, deadline } from "./deadline.ts";
import {
  ContentNotFound,
  ContentTimeout,
  ContentTooLarge,
  StoreClosed,
  StoreConfigInvalid,
  StoreReadOnly,
  StoreUnreachable,
} from "./errors.ts";
import { nameOf } from "./importContent.ts";
import { verifyContent } from "./verifyContent.ts";

/**
 * Reads objects from an HTTP gateway: `GET {base}/ipfs/{cid}`, answered with the file's bytes, as by Kubo, public
 * gateways and `gatewayHandler`. The gateway is trusted with nothing: too many bytes are cut off, other bytes refused.
 *
 * A gateway answers now or not at all, so `get` does not wait for an object to be served, and nothing is ever held.
 *
 * @param url Base, http or https; a path before `/ipfs` is kept.
 * @throws StoreConfigInvalid when it is not such a URL.
 */
export function openGatewayStore(url: string): ContentStore {
  return new GatewayStore(baseOf(url));
}

class GatewayStore implements ContentStore {
  readonly holds = false;
  readonly #base: string;
  readonly #closing = new AbortController();

  constructor(base: string) {
    this.#base = base;
  }

  cidOf(source: ContentSource): Promise<ContentId> {
    return nameOf(source);
  }

  async get(cid: ContentId, options: GetOptions): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.getStream(cid, options)) chunks.push(chunk);
    return new Uint8Array(Buffer.concat(chunks));
  }

  async *getStream(cid: ContentId, options: GetOptions): AsyncGenerator<Uint8Array> {
    toCid(cid);
    const { maxBytes, signal, timeoutMs = DEFAULT_GET_TIMEOUT_MS } = options;
    signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    if (timeoutMs === 0) throw new ContentNotFound(cid, "held by this store, and no gateway was to be asked");
    const limit = deadline(timeoutMs, () => new ContentTimeout(cid, timeoutMs, this.#base), [
      signal,
      this.#closing.signal,
    ]);
    try {
      const body = await this.#request(cid, maxBytes, limit);
      yield* verifyContent(cid, body, maxBytes);
    } finally {
      limit.end(); // Also cancels a body that was not read to its end.
    }
  }

  async serves(cid: ContentId): Promise<boolean> {
    toCid(cid);
    return false;
  }

  async has(cid: ContentId): Promise<boolean> {
    toCid(cid);
    return false;
  }

  async sizeOf(cid: ContentId): Promise<number> {
    toCid(cid);
    throw new ContentNotFound(cid, "held by this store, which only reads from a gateway");
  }

  async open(cid: ContentId): Promise<never> {
    toCid(cid);
    throw new ContentNotFound(cid, "held by this store, which only reads from a gateway");
  }

  put(): Promise<never> {
    return this.#refuse("put");
  }

  serve(): Promise<never> {
    return this.#refuse("serve");
  }

  pin(): Promise<never> {
    return this.#refuse("pin");
  }

  unpin(): Promise<never> {
    return this.#refuse("unpin");
  }

  async reclaim(): Promise<Reclaimed> {
    return { objects: 0, bytes: 0 };
  }

  async close(): Promise<void> {
    this.#closing.abort(new StoreClosed());
  }

  async #refuse(operation: string): Promise<never> {
    throw new StoreReadOnly(operation, `the gateway ${this.#base}`);
  }

  async #request(cid: ContentId, maxBytes: number, limit: Deadline): Promise<AsyncIterable<Uint8Array>> {
    let response: Response;
    try {
      response = await fetch(`${this.#base}/ipfs/${cid}`, {
        signal: limit.signal,
        headers: { accept: "application/octet-stream" },
      });
    } catch (cause) {
      throw (
        limit.cause() ??
        new StoreUnreachable(this.#base, "it does not answer; check the URL and that it is running", cause)
      );
    }
    if (response.status === 404 || response.status === 410)
      throw new ContentNotFound(cid, `at the gateway ${this.#base}`);
    if (response.status !== 200 || response.body === null) {
      throw new StoreUnreachable(this.#base, `it answered ${response.status} ${response.statusText} for ${cid}`.trim());
    }
    // With a content coding the header counts other bytes than those that we read; those are counted as they come.
    const announced = response.headers.has("content-encoding")
      ? 0
      : Number(response.headers.get("content-length") ?? 0);
    if (announced > maxBytes) throw new ContentTooLarge(cid, maxBytes, announced);
    return this.#bodyOf(response.body, limit);
  }

  async *#bodyOf(body: ReadableStream<Uint8Array>, limit: Deadline): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (cause) {
      throw limit.cause() ?? new StoreUnreachable(this.#base, "it broke off in the middle of an object", cause);
    }
  }
}

function baseOf(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new StoreConfigInvalid(
      `"${url}" is not a URL; a gateway is written like http://127.0.0.1:8080.`,
      { url },
      cause,
    );
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    throw new StoreConfigInvalid(`The gateway ${url} must be http or https, not ${parsed.protocol}`, { url });
  }
  if (parsed.search !== "" || parsed.hash !== "") {
    throw new StoreConfigInvalid(`The gateway ${url} must be a base without query and fragment.`, { url });
  }
  return parsed.href.replace(/\/+$/, "");
}
