// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A JSON-RPC request as it arrives. */
export interface RpcRequest {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** What the proxy does with a request: answer with a body of its own, forward, or cut the connection. */
export type Interception = { readonly body: string; readonly status?: number } | "cut" | undefined;

export interface RpcProxy {
  readonly url: string;
  /** Requests per method. */
  readonly counts: Map<string, number>;
  /** Decides about a request; `forward` asks the real endpoint. Undefined forwards unchanged. */
  intercept: (
    request: RpcRequest,
    forward: () => Promise<Record<string, unknown>>,
  ) => Promise<Interception> | Interception;
  /** Stops listening (connections are cut) and listens again on the same port. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

/** An endpoint between client and chain that can lie, lose and refuse: how tests make the failures that a real endpoint only has by chance. */
export async function startProxy(target: string): Promise<RpcProxy> {
  const counts = new Map<string, number>();
  const proxy = { counts, intercept: () => undefined } as unknown as RpcProxy & { url: string };
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", async () => {
      const text = Buffer.concat(parts).toString("utf8");
      const request = JSON.parse(text) as RpcRequest;
      counts.set(request.method, (counts.get(request.method) ?? 0) + 1);
      const forward = async () => {
        const response = await fetch(target, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: text,
        });
        return (await response.json()) as Record<string, unknown>;
      };
      const decide = async () => (await proxy.intercept(request, forward)) ?? { body: JSON.stringify(await forward()) };
      // A lie that could not be told is the test's own failure; the client must not take it for one of the endpoint.
      const decided = await decide().catch((error: unknown) => ({ status: 418, body: String(error) }));
      if (decided === "cut") outgoing.destroy();
      else outgoing.writeHead(decided.status ?? 200, { "content-type": "application/json" }).end(decided.body);
    });
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const close = async () => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  };
  const port = await listen(0);
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${port}`,
    down: close,
    up: async () => {
      await listen(port);
    },
    close,
  });
}

/** A response with the request's id and this result. */
export function answer(request: RpcRequest, result: unknown): { body: string } {
  return { body: JSON.stringify({ jsonrpc: "2.0", id: request.id, result }) };
}

export function refusal(request: RpcRequest, code: number, message: string, data?: unknown): { body: string } {
  return { body: JSON.stringify({ jsonrpc: "2.0", id: request.id, error: { code, message, data } }) };
}

/** An address at which nobody listens. */
export async function closedPortUrl(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `http://127.0.0.1:${port}`;
}
