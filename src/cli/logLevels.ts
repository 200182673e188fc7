// SPDX-License-Identifier: Apache-2.0

/** From what everything says to what nothing does. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
