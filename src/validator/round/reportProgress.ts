// SPDX-License-Identifier: Apache-2.0
import type { Logger } from "../../protocol/logger.ts";

const EVERY_MS = 5_000;

/** How far something has come; more fields say what. */
export type Progress = { readonly done: number; readonly of: number } & Readonly<Record<string, unknown>>;

/**
 * Says in the log, and so on the status page, how far something long has come: nothing in its first seconds, then a line at most every five.
 *
 * @param now milliseconds; only differences count.
 */
export function reportProgress(
  logger: Logger,
  message: string,
  now: () => number = () => performance.now(),
): (progress: Progress) => void {
  let last = now();
  return (progress) => {
    if (now() - last < EVERY_MS) return;
    last = now();
    logger.info({ ...progress, percent: Math.floor((100 * progress.done) / progress.of) }, message);
  };
}
