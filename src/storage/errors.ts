// SPDX-License-Identifier: Apache-2.0
import type { ContentId, ContentStoreFailure, ContentStoreFailureCode } from "../protocol/contentStore.ts";
import { EXIT, FoedusError } from "../protocol/errors.ts";

/** Base of what a store throws on purpose. A cancelled call is none of these: it rejects with its signal's reason. */
export class StoreError extends FoedusError implements ContentStoreFailure {
  declare readonly code: ContentStoreFailureCode;

  constructor(
    code: ContentStoreFailureCode,
    message: string,
    options: { exitCode?: number; values?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(code, message, options);
    this.name = new.target.name;
  }
}

/** Text that is not a content id: CIDv1, base32, dag-pb, sha2-256. */
export class MalformedContentId extends StoreError {
  constructor(text: string, why: string, cause?: unknown) {
    super("CONTENT_ID_MALFORMED", `"${text.slice(0, 120)}" is not a content id: ${why}.`, { values: { text }, cause });
  }
}

/** The object is certainly not where it was asked for. */
export class ContentNotFound extends StoreError {
  constructor(cid: ContentId, where: string, cause?: unknown) {
    super("CONTENT_NOT_FOUND", `${cid} is not ${where}.`, {
      exitCode: EXIT.unreachable,
      values: { cid, where },
      cause,
    });
  }
}

/** Nobody served the object in the time given; it may exist. */
export class ContentTimeout extends StoreError {
  constructor(cid: ContentId, timeoutMs: number, asked: string) {
    super(
      "CONTENT_TIMEOUT",
      `${cid} did not arrive within ${timeoutMs} ms from ${asked}. Check that whoever should serve it is running and connected, or wait longer.`,
      { exitCode: EXIT.unreachable, values: { cid, timeoutMs, asked } },
    );
  }
}

/** The object is, or says it is, longer than the caller allows. */
export class ContentTooLarge extends StoreError {
  constructor(cid: ContentId, maxBytes: number, atLeastBytes: number) {
    super("CONTENT_TOO_LARGE", `${cid} has ${atLeastBytes} bytes or more; at most ${maxBytes} are accepted.`, {
      values: { cid, maxBytes, atLeastBytes },
    });
  }
}

/**
 * The bytes that came under a name do not have that name. `actual` is the name that they have under the pinned
 * importer, or absent when what came is no object of that importer at all and was refused before it was complete.
 */
export class ContentMismatch extends StoreError {
  readonly expected: ContentId;
  readonly actual: ContentId | undefined;

  constructor(expected: ContentId, actual: ContentId | undefined, why?: string) {
    super(
      "CONTENT_MISMATCH",
      actual === undefined
        ? `${expected} does not name an object of this importer: ${why ?? "its tree is of another shape"}.`
        : `What came as ${expected} hashes to ${actual}. Whoever gave it is not to be trusted with this object.`,
      { values: { expected, actual, why } },
    );
    this.expected = expected;
    this.actual = actual;
  }
}

/** The operation needs a store that keeps things. */
export class StoreReadOnly extends StoreError {
  constructor(operation: string, store: string) {
    super("STORE_READ_ONLY", `${store} can only be read; "${operation}" needs a store of kind "helia".`, {
      exitCode: EXIT.usage,
      values: { operation, store },
    });
  }
}

/** The place behind the store does not answer, or answers nonsense. */
export class StoreUnreachable extends StoreError {
  constructor(where: string, why: string, cause?: unknown) {
    super("STORE_UNREACHABLE", `The content store at ${where} cannot be used: ${why}.`, {
      exitCode: EXIT.unreachable,
      values: { where, why },
      cause,
    });
  }
}

/** The call came after, or was interrupted by, `close`. */
export class StoreClosed extends StoreError {
  constructor() {
    super("STORE_CLOSED", "The content store was closed.", { exitCode: EXIT.unreachable });
  }
}

/** Configuration, address or key file that cannot be used; the message says what to change. */
export class StoreConfigInvalid extends StoreError {
  constructor(message: string, values: Record<string, unknown> = {}, cause?: unknown) {
    super("STORE_CONFIG_INVALID", message, { exitCode: EXIT.usage, values, cause });
  }
}
