// SPDX-License-Identifier: Apache-2.0
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** One JSON-RPC call on its way. */
export interface RpcCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

export interface RpcInterference {
  /** Sees each call before the chain does; `false` swallows it: the caller never gets an answer. */
  readonly before?: (call: RpcCall) => boolean;
  /** May alter the chain's answer. */
  readonly after?: (call: RpcCall, result: unknown) => unknown;
}

export interface RpcProxy {
  readonly url: string;
  close(): Promise<void>;
}

/** A chain endpoint in the hands of somebody else: passes calls on to the real one and interferes. */
export async function startRpcProxy(
  target: string,
  { before = () => true, after = (_, result) => result }: RpcInterference,
): Promise<RpcProxy> {
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = JSON.parse(Buffer.concat(chunks).toString()) as
        | (RpcCall & { id: unknown })
        | (RpcCall & { id: unknown })[];
      const calls = Array.isArray(body) ? body : [body];
      if (!calls.every((call) => before(call))) return;
      const answer = await fetch(target, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const parsed = (await answer.json()) as { id: unknown; result?: unknown } | { id: unknown; result?: unknown }[];
      for (const reply of Array.isArray(parsed) ? parsed : [parsed]) {
        const call = calls.find(({ id }) => id === reply.id);
        if (call !== undefined && "result" in reply) reply.result = after(call, reply.result);
      }
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(parsed));
    })().catch(() => response.destroy());
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
