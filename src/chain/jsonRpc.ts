// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";
import { DecodeError } from "../protocol/errors.ts";
import { ChainUnreachable, RpcError, redactUrl } from "./errors.ts";

export interface JsonRpcOptions {
  readonly url: string;
  /** Milliseconds until one request is given up. */
  readonly timeoutMs?: number;
  /** Milliseconds during which an endpoint that does not answer is asked again, before the request fails. */
  readonly patienceMs?: number;
  /** Largest answer that is read, in bytes: an endpoint must not be able to fill the memory. */
  readonly maxBytes?: number;
}

const RETRY_DELAY_MS = 100;

/**
 * JSON-RPC 2.0 over HTTP. Written out rather than taken from ethers' provider because an endpoint is not trusted: what comes back is bounded in
 * size, its envelope is checked, and every way to fail is one of three errors, `ChainUnreachable` (no answer), `RpcError` (a refusal) and
 * `DecodeError` (nonsense). Connections are kept alive between requests and do not hold the process open.
 *
 * Every request Foedus makes may be repeated without harm: reads are reads, and a signed transaction counts once.
 */
export class JsonRpc {
  readonly url: string;
  readonly #timeoutMs: number;
  readonly #patienceMs: number;
  readonly #maxBytes: number;
  readonly #closing = new AbortController();
  #lastId = 0;

  constructor(options: JsonRpcOptions) {
    this.url = options.url;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#patienceMs = options.patienceMs ?? 10_000;
    this.#maxBytes = options.maxBytes ?? 64 * 1_048_576;
    if (!/^https?:\/\//.test(options.url)) throw new ChainUnreachable(options.url, "is not an http or https URL");
  }

  /** Result of a request, not yet decoded. `patienceMs` overrides the client's, for a first question that should fail fast. */
  async request(method: string, params: readonly unknown[], patienceMs = this.#patienceMs): Promise<unknown> {
    const deadline = Date.now() + patienceMs;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(method, params);
      } catch (error) {
        // A kept-alive connection that the server has just closed fails once without any fault, hence one free repetition.
        const patience = attempt === 0 || Date.now() < deadline;
        if (!(error instanceof ChainUnreachable) || !patience || this.#closing.signal.aborted) throw error;
        if (attempt > 0)
          await sleep(Math.min(RETRY_DELAY_MS * attempt, 1_000), undefined, { signal: this.#closing.signal }).catch(
            () => {},
          );
      }
    }
  }

  /** Ends requests under way; they reject with ChainUnreachable. */
  close(): void {
    this.#closing.abort(new Error("the client was closed"));
  }

  async #once(method: string, params: readonly unknown[]): Promise<unknown> {
    const id = ++this.#lastId;
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
        signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#timeoutMs)]),
      });
      text = await this.#boundedText(response, method);
    } catch (cause) {
      if (cause instanceof DecodeError) throw cause;
      throw new ChainUnreachable(this.url, `did not answer ${method} (${reasonOf(cause)})`, cause);
    }
    return this.#result(id, method, response.status, text);
  }

  #result(id: number, method: string, status: number, text: string): unknown {
    const overloaded = status === 429 || status >= 500;
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch (cause) {
      if (status !== 200) throw new ChainUnreachable(this.url, `answered ${method} with HTTP status ${status}`, cause);
      throw new DecodeError(
        `${redactUrl(this.url)} answered ${method} with something that is not JSON: "${text.slice(0, 80)}".`,
        { method },
        cause,
      );
    }
    if (typeof answer !== "object" || answer === null) {
      throw new DecodeError(`${redactUrl(this.url)} answered ${method} with JSON that is no JSON-RPC response.`, {
        method,
      });
    }
    const { id: answeredId, result, error } = answer as Record<string, unknown>;
    if (typeof error === "object" && error !== null) {
      const { code, message, data } = error as Record<string, unknown>;
      if (overloaded && code === undefined)
        throw new ChainUnreachable(this.url, `answered ${method} with HTTP status ${status}`);
      throw new RpcError(
        this.url,
        method,
        typeof code === "number" ? code : 0,
        typeof message === "string" ? message : "no message",
        data,
      );
    }
    if (overloaded) throw new ChainUnreachable(this.url, `answered ${method} with HTTP status ${status}`);
    if (answeredId !== id || result === undefined) {
      throw new DecodeError(
        `${redactUrl(this.url)} answered ${method} with a response to another request, or without a result.`,
        { method },
      );
    }
    return result;
  }

  async #boundedText(response: Response, method: string): Promise<string> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of response.body ?? []) {
      bytes += part.length;
      if (bytes > this.#maxBytes) {
        throw new DecodeError(`${redactUrl(this.url)} answered ${method} with more than ${this.#maxBytes} bytes.`, {
          method,
        });
      }
      parts.push(part);
    }
    return Buffer.concat(parts).toString("utf8");
  }
}

/** `fetch failed` says nothing; the reason is in the chain of causes. */
function reasonOf(error: unknown): string {
  let reason = error;
  while (reason instanceof Error && reason.cause !== undefined) reason = reason.cause;
  if (reason instanceof AggregateError && reason.errors.length > 0) reason = reason.errors[0];
  if (!(reason instanceof Error)) return String(reason);
  const { code } = reason as NodeJS.ErrnoException;
  return reason.message === "" ? String(code ?? reason.name) : reason.message;
}
