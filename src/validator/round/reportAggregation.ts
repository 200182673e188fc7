// SPDX-License-Identifier: Apache-2.0
import type { AggregationProgress } from "../../aggregation/aggregate.ts";
import type { Logger } from "../../protocol/logger.ts";

const EVERY_MS = 5_000;

/**
 * Says in the log, and so on the status page, how far a long aggregation has come: nothing in its first seconds, then a line at most every five.
 *
 * @param now milliseconds; only differences count.
 */
export function reportAggregation(
  logger: Logger,
  round: number,
  now: () => number = () => performance.now(),
): (progress: AggregationProgress) => void {
  let last = now();
  return ({ pass, done, of }) => {
    if (now() - last < EVERY_MS) return;
    last = now();
    logger.info({ round, pass, done, of, percent: Math.floor((100 * done) / of) }, "aggregating");
  };
}
