// SPDX-License-Identifier: Apache-2.0

/** Exit codes of every command. */
export const EXIT = { ok: 0, verificationFailed: 1, usage: 2, unreachable: 3 } as const;

/**
 * Base of all errors Foedus raises on purpose: a sentence with the values in it, a stable `code`, and the process exit code it leads to.
 * Anything else that is thrown is a defect.
 */
export class FoedusError extends Error {
  readonly code: string;
  readonly exitCode: number;
  readonly values: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    message: string,
    options: { exitCode?: number; values?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "FoedusError";
    this.code = code;
    this.exitCode = options.exitCode ?? EXIT.verificationFailed;
    this.values = options.values ?? {};
  }
}

/** Input that cannot be what it claims to be: bytes, JSON, hex, event data. */
export class DecodeError extends FoedusError {
  constructor(message: string, values: Record<string, unknown> = {}, cause?: unknown) {
    super("MALFORMED_INPUT", message, { exitCode: EXIT.verificationFailed, values, cause });
    this.name = "DecodeError";
  }
}

/** A wrong option, file or recipe of the operator; the message says what to change. */
export class ConfigError extends FoedusError {
  constructor(message: string, values: Record<string, unknown> = {}, cause?: unknown) {
    super("BAD_CONFIG", message, { exitCode: EXIT.usage, values, cause });
    this.name = "ConfigError";
  }
}
