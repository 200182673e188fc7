// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { serveStatus } from "../../src/process/http/serveStatus.ts";
import { StatusBoard } from "../../src/process/statusBoard.ts";
import { ConfigError, FoedusError } from "../../src/protocol/errors.ts";
import { type Logger, SILENT } from "../../src/protocol/logger.ts";
import { openMemoryStore } from "../../src/storage/memoryStore.ts";
import { validatorPages } from "../../src/validator/http/validatorPages.ts";

const ANYWHERE = { host: "127.0.0.1", port: 0 };

async function pagesOf(
  t: TestContext,
  board: StatusBoard,
  ...handlers: Parameters<typeof serveStatus>[2][]
): Promise<string> {
  const pages = await serveStatus(board, ANYWHERE, ...handlers);
  t.after(() => pages.close());
  return pages.url;
}

describe("status pages", () => {
  it("tell that the participant is starting, and what it waits for", async (t) => {
    const board = new StatusBoard("node");
    const url = await pagesOf(t, board);
    board.observe(SILENT).info({ run: "1" }, "waiting for the run to be opened");
    const status = (await (await fetch(`${url}/status`)).json()) as {
      role: string;
      phase: string;
      events: { message: string; fields: unknown }[];
    };
    assert.equal(status.role, "node");
    assert.equal(status.phase, "starting");
    assert.deepEqual(
      status.events.map(({ message, fields }) => ({ message, fields })),
      [{ message: "waiting for the run to be opened", fields: { run: "1" } }],
    );
    const health = await fetch(`${url}/healthz`);
    assert.equal(health.status, 503);
    assert.equal(await health.text(), "starting\n");
  });

  it("tell how it stands, asking anew each time, newest event first", async (t) => {
    const board = new StatusBoard("validator");
    const url = await pagesOf(t, board);
    const seen: string[] = [];
    const logger = board.observe({ ...SILENT, warn: (_, message) => seen.push(message) } satisfies Logger);
    let block = 0;
    board.attach(async () => ({ phase: "judging", block: ++block, pool: 10n ** 20n }));
    for (let i = 0; i < 60; i++) logger.warn({ i }, `event ${i}`);
    logger.debug({}, "not for the page");
    assert.equal(seen.length, 60, "the log gets everything");
    const answers = [];
    for (let i = 0; i < 2; i++)
      answers.push(
        (await (await fetch(`${url}/status`)).json()) as { block: number; pool: string; events: { message: string }[] },
      );
    assert.deepEqual(
      answers.map((answer) => answer.block),
      [1, 2],
    );
    assert.equal(answers[0]?.pool, "100000000000000000000");
    assert.equal(answers[0]?.events.length, 50);
    assert.equal(answers[0]?.events[0]?.message, "event 59");
    const health = await fetch(`${url}/healthz`);
    assert.equal(health.status, 200);
    const metrics = await fetch(`${url}/metrics`);
    assert.match(metrics.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    assert.match(await metrics.text(), /^foedus_log_total\{level="warn"\} 60$/m);
  });

  it("say that the chain does not answer, and nothing of what nobody foresaw", async (t) => {
    const board = new StatusBoard("node");
    const url = await pagesOf(t, board);
    board.observe(SILENT).error({}, "something");
    board.attach(() => Promise.reject(new FoedusError("CHAIN_UNREACHABLE", "The chain endpoint does not answer.")));
    const status = await fetch(`${url}/status`);
    assert.equal(status.status, 503);
    assert.deepEqual(await status.json(), {
      code: "CHAIN_UNREACHABLE",
      message: "The chain endpoint does not answer.",
    });
    assert.equal((await fetch(`${url}/healthz`)).status, 503);
    assert.match(
      await (await fetch(`${url}/metrics`)).text(),
      /foedus_log_total\{level="error"\} 1/,
      "counters are shown all the same",
    );
    board.attach(() => Promise.reject(new Error("password=hunter2")));
    const unforeseen = await (await fetch(`${url}/status`)).text();
    assert.doesNotMatch(unforeseen, /hunter2/);
  });

  it("take no orders", async (t) => {
    const url = await pagesOf(t, new StatusBoard("node"));
    for (const [path, method] of [
      ["/", "GET"],
      ["/status", "POST"],
      ["/ipfs/x", "GET"],
    ] as const) {
      const answer = await fetch(`${url}${path}`, { method });
      assert.equal(answer.status, 404, `${method} ${path}`);
      assert.equal(((await answer.json()) as { code: string }).code, "NOT_FOUND");
    }
    assert.equal((await fetch(`${url}/status`)).headers.get("x-powered-by"), null);
  });

  it("refuse an address that is taken, saying what to change", async (t) => {
    const url = new URL(await pagesOf(t, new StatusBoard("node")));
    await assert.rejects(
      serveStatus(new StatusBoard("node"), { host: url.hostname, port: Number(url.port) }),
      (error: Error) => error instanceof ConfigError && /http\.port/.test(error.message),
    );
  });

  it("of a validator give what its store serves, and nothing that it only holds", async (t) => {
    const gateway = validatorPages();
    const url = await pagesOf(t, new StatusBoard("validator"), gateway.handler);
    const store = await openMemoryStore();
    t.after(() => store.close());
    const [served, held] = await Promise.all([store.put(Uint8Array.of(1, 2, 3)), store.put(Uint8Array.of(4))]);
    await store.serve(served);
    assert.equal((await fetch(`${url}/ipfs/${served}`)).status, 404, "before the validator is open");
    gateway.open(store);
    const answer = await fetch(`${url}/ipfs/${served}`);
    assert.equal(answer.status, 200);
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), Uint8Array.of(1, 2, 3));
    assert.equal((await fetch(`${url}/ipfs/${held}`)).status, 404);
    assert.equal((await fetch(`${url}/status`)).status, 200);
  });
});
