// SPDX-License-Identifier: Apache-2.0
import { setTimeout as pause } from "node:timers/promises";
import { LedgerRevert } from "../chain/errors.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import type { LedgerReader } from "../protocol/ledger.ts";
import type { Logger } from "../protocol/logger.ts";
import { loadRunContext, type RunContext } from "../round/runContext.ts";

/** What a store says about an object that may still come. */
const MAY_COME = new Set(["CONTENT_NOT_FOUND", "CONTENT_TIMEOUT", "STORE_UNREACHABLE"]);
const ATTEMPT_MS = 10_000;
const REPORT_EVERY_MS = 30_000;
/** Between two attempts, for stores that say at once that they have nothing. */
const PAUSE_MS = 250;

/**
 * The run's context as soon as there is one: participants start before the admin opens the run, and before a peer that has its recipe is
 * connected. Says what it waits for.
 */
export async function waitForRun(
  ledger: LedgerReader,
  store: ContentStore,
  run: bigint,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
): Promise<RunContext> {
  const waiting = progressLog(logger);
  for (;;) {
    const block = await ledger.blockNumber();
    try {
      return await loadRunContext(ledger, store, run, { signal, timeoutMs: ATTEMPT_MS });
    } catch (error) {
      signal.throwIfAborted();
      waiting({ run: run.toString(), block }, whatIsMissing(error));
    }
    await ledger.waitForBlockAfter(block, signal);
  }
}

/** Repeats `get` while what it needs may still be served by somebody. */
export async function waitForContent<T>(
  what: string,
  get: (options: { signal: AbortSignal; timeoutMs: number }) => Promise<T>,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
): Promise<T> {
  const waiting = progressLog(logger);
  for (;;) {
    try {
      return await get({ signal, timeoutMs: ATTEMPT_MS });
    } catch (error) {
      signal.throwIfAborted();
      if (!MAY_COME.has(codeOf(error))) throw error;
      waiting({ code: codeOf(error) }, `waiting for ${what}: no connected peer serves it yet`);
      await pause(PAUSE_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

/** In words; anything that waiting cannot mend is thrown again. */
function whatIsMissing(error: unknown): string {
  if (error instanceof LedgerRevert && error.error === "TrainingLedgerUnknownRun")
    return "waiting for the run to be opened";
  if (MAY_COME.has(codeOf(error))) return "waiting for the run's recipe: no connected peer serves it yet";
  throw error;
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? "";
}

/** Logs at once and then from time to time. */
function progressLog(logger: Logger): (fields: Record<string, unknown>, message: string) => void {
  let next = 0;
  return (fields, message) => {
    if (performance.now() < next) return;
    next = performance.now() + REPORT_EVERY_MS;
    logger.info(fields, message);
  };
}
