// SPDX-License-Identifier: Apache-2.0
import type { Logger } from "../protocol/logger.ts";

/** A log in which every line says whose it is. */
export function namedLogger(logger: Logger, name: string): Logger {
  const named = (level: keyof Logger) => (fields: Record<string, unknown>, message: string) =>
    logger[level]({ name, ...fields }, message);
  return { debug: named("debug"), info: named("info"), warn: named("warn"), error: named("error") };
}
