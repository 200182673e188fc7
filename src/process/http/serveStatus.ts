// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type ErrorRequestHandler, type RequestHandler } from "express";
import { ConfigError, FoedusError } from "../../protocol/errors.ts";
import type { StatusBoard } from "../statusBoard.ts";

export interface StatusServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Longest wait for the chain behind a page, in milliseconds. */
const ANSWER_MS = 5_000;

/**
 * Pages for people and monitors: `GET /status` (JSON), `/healthz` (200 or 503), `/metrics` (Prometheus). They hold no secrets and take no
 * orders, and there is no login: keep them on loopback or behind a proxy. Participants never speak to each other through them.
 *
 * @param further handlers after these pages, e.g. a gateway to the store
 * @throws ConfigError when the address cannot be listened on.
 */
export async function serveStatus(
  board: StatusBoard,
  { host, port }: { readonly host: string; readonly port: number },
  ...further: RequestHandler[]
): Promise<StatusServer> {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.use((_request, response, next) => {
    response.set({
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'",
    });
    next();
  });
  app.get("/status", async (_request, response) => {
    response.type("application/json").send(toJson(await inTime(board.status())));
  });
  app.get("/healthz", async (_request, response) => {
    const { ok, detail } = await inTime(board.health()).catch((error: unknown) => ({
      ok: false,
      detail: messageOf(error),
    }));
    response
      .status(ok ? 200 : 503)
      .type("text/plain")
      .send(`${detail}\n`);
  });
  app.get("/metrics", async (_request, response) => {
    response.set("content-type", "text/plain; version=0.0.4; charset=utf-8").send(await inTime(board.metricsText()));
  });
  for (const handler of further) app.use(handler);
  app.use((request, response) => {
    response
      .status(404)
      .type("application/json")
      .send(
        toJson({ code: "NOT_FOUND", message: `There is nothing at ${request.path}; see /status, /healthz, /metrics.` }),
      );
  });
  app.use(answerError);

  const server = app.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new ConfigError(
      `The status pages cannot listen on ${host}:${port} (${messageOf(cause)}). Choose another http.port, or leave http out.`,
      { host, port },
      cause,
    );
  }
  const { port: bound } = server.address() as AddressInfo;
  return { url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`, close: () => closeServer(server) };
}

const answerError: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (response.headersSent) return next(error);
  const code = error instanceof FoedusError ? error.code : "INTERNAL";
  // Only what was written for operators is shown.
  const message = error instanceof FoedusError ? error.message : "The page could not be made; see the log.";
  response.status(503).type("application/json").send(toJson({ code, message }));
};

function inTime<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new FoedusError("STATUS_TIMEOUT", `The chain endpoint did not answer within ${ANSWER_MS} ms.`)),
    ANSWER_MS,
  );
  return Promise.race([work, promise]).finally(() => clearTimeout(timer));
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? part.toString() : part), 2)}\n`;
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
