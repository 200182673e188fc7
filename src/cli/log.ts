// SPDX-License-Identifier: Apache-2.0
import { pino } from "pino";
import type { Logger } from "../protocol/logger.ts";
import type { LogLevel } from "./logLevels.ts";

/** Names under which no value may be printed, should one ever get into a log. */
const SECRET_NAMES = [
  "passphrase",
  "privateKey",
  "signerPrivateKey",
  "encryptionPrivateKey",
  "beaconSecret",
  "contentKey",
  "salt",
  "loss",
  "opening",
  "authorization",
];

const NAME_OF_LEVEL: Readonly<Record<number, string>> = { 20: "debug", 30: "info", 40: "warn", 50: "error" };

/** Where log lines go. */
export interface LogSink {
  write(line: string): void;
}

/**
 * The log of a command, on standard error so that standard output stays what was asked for: one JSON object a line for machines, one plain
 * line for people at a terminal.
 */
export function createLog(
  level: LogLevel,
  options: { readonly pretty?: boolean; readonly sink?: LogSink } = {},
): Logger {
  const sink = options.sink ?? pino.destination({ fd: 2, sync: true });
  const pretty = options.pretty ?? process.stderr.isTTY === true;
  const log = pino(
    {
      level,
      base: null,
      redact: { paths: SECRET_NAMES.flatMap((name) => [name, `*.${name}`]), censor: "(secret)" },
    },
    pretty ? { write: (line: string) => sink.write(`${plainLine(line)}\n`) } : sink,
  );
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}

/** `12:03:44 info  round closed  round=3 kept=true` */
function plainLine(json: string): string {
  const { level, time, msg, ...fields } = JSON.parse(json) as { level: number; time: number; msg: string };
  const clock = new Date(time).toTimeString().slice(0, 8);
  const shown = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [
    clock,
    (NAME_OF_LEVEL[level] ?? "").padEnd(5),
    msg,
    ...(shown.length === 0 ? [] : ["", shown.join(" ")]),
  ].join(" ");
}
