// SPDX-License-Identifier: Apache-2.0
import type { ByteSource } from "./byteSource.ts";

/**
 * The content store: the only data plane between participants. Types only; implementations live in `src/storage`.
 *
 * An *object* is a byte string (a checkpoint, an update artifact, a held-out set) named by the hash of its UnixFS tree
 * under pinned importer parameters, so that every party computes the same name for the same bytes and the chain need
 * keep only 32 of them.
 *
 * An object is in one of three conditions in a store:
 *
 * - *absent*;
 * - *held*: the bytes are here, and nobody else can get them from this store. `put` and `get` lead here. A member holds
 *   its committed update like this until the commit phase has ended, so that nobody can copy it or react to it;
 * - *served*: peers that ask get the bytes, from the moment `serve` resolves. There is no way back: what one peer has
 *   fetched cannot be taken away.
 *
 * @module
 */

/**
 * Name of an object: CIDv1 in base32 text (`bafy…`), codec dag-pb (0x70), multihash sha2-256, always in this one form,
 * so that equal objects have equal strings. Made by `parseContentId`, `contentIdFromDigest` or a store, never by a cast.
 */
export type ContentId = string & { readonly __brand: "ContentId" };

/** What can be put: bytes, or chunks of any sizes, of which the store keeps one at a time in memory. */
export type ContentSource = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** How far a `get` may go. */
export interface GetOptions {
  /**
   * Largest acceptable object in bytes. Checked against the size that the object declares before anything else of it is
   * fetched, and again against what really arrives. There is no default: a caller always knows a bound (the layout of
   * an update, the manifest of a model), and a hostile object costs exactly what this number allows.
   */
  readonly maxBytes: number;
  /** Ends the `get` early; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds until `get` gives up, whatever the progress (in a stream the consumer's own time counts too); default
   * {@link DEFAULT_GET_TIMEOUT_MS}. Within that time the store waits for a peer to serve the object. 0 asks nobody:
   * only what is held here.
   */
  readonly timeoutMs?: number | undefined;
}

/** Patience of a `get` that names none, in milliseconds. */
export const DEFAULT_GET_TIMEOUT_MS = 30_000;

/** What `reclaim` removed. */
export interface Reclaimed {
  readonly objects: number;
  /** Bytes of the objects as files, before anything shared between objects is counted once. */
  readonly bytes: number;
}

/**
 * A content-addressed store. All implementations pass one suite (`test/storage/contentStore.contract.ts`).
 *
 * Errors are {@link ContentStoreFailure}s; their classes are in `src/storage/errors.ts`.
 */
export interface ContentStore {
  /** Whether what is got is held here afterwards; false for a gateway. */
  readonly holds: boolean;

  /** The name that these bytes have, without keeping them. */
  cidOf(source: ContentSource): Promise<ContentId>;

  /**
   * Holds the bytes, durably where the store has a folder, and returns their name. They are not served. All or nothing:
   * when the source fails half-way, nothing stays.
   */
  put(source: ContentSource): Promise<ContentId>;

  /**
   * Serves a held object from now on, in this life of the process and, where the store has a folder, in later ones.
   * Peers that already wait for it are sent it at once. Serving twice is serving.
   *
   * @throws ContentNotFound when the object is not held here.
   */
  serve(cid: ContentId): Promise<void>;

  /** Whether peers can get the object from this store. */
  serves(cid: ContentId): Promise<boolean>;

  /**
   * The object's bytes, from here or from a peer, re-hashed by recomputing its name with the pinned importer, whoever
   * they came from. Afterwards the object is held here, not served. A `get` that fails or is cancelled leaves nothing.
   *
   * @throws ContentTooLarge when it is, or says it is, longer than `maxBytes`.
   * @throws ContentMismatch when what arrived does not have this name.
   * @throws ContentTimeout when nobody served it in time.
   * @throws ContentNotFound when it is certain that it cannot be had (asked locally only; a gateway's 404).
   */
  get(cid: ContentId, options: GetOptions): Promise<Uint8Array>;

  /**
   * As `get`, in chunks of at most 1 MiB, so that memory does not grow with the object. Act on the bytes only once the
   * stream has ended without an error: whether they are the object named is known for certain only at the end.
   */
  getStream(cid: ContentId, options: GetOptions): AsyncIterable<Uint8Array>;

  /**
   * A held object, to be read at any place and any number of times without being in memory. The bytes come as they lie here, *not* re-hashed:
   * for a caller that has verified the object and checks what it reads against digests of its own. Nobody else is asked.
   *
   * @throws ContentNotFound when it is not held here; reading throws the same when it was given up since.
   */
  open(cid: ContentId): Promise<ByteSource>;

  /** Keeps a held object through `reclaim`. @throws ContentNotFound when it is not held here. */
  pin(cid: ContentId): Promise<void>;

  /** Takes the pin off. Not being pinned is not an error. */
  unpin(cid: ContentId): Promise<void>;

  /** Whether the whole object is held here, served or not. Asks nobody else. */
  has(cid: ContentId): Promise<boolean>;

  /** Length in bytes of a held object. @throws ContentNotFound when it is not held here. */
  sizeOf(cid: ContentId): Promise<number>;

  /**
   * Removes every held object that is neither pinned nor served; so call it when nobody is between a `put` or `get` and
   * the `pin` or `serve` that is to follow.
   */
  reclaim(): Promise<Reclaimed>;

  /** Stops serving and waiting; running calls reject. Closing twice is closing. */
  close(): Promise<void>;
}

/** Code of a failure, stable across implementations; the same in logs, HTTP answers and exit codes. */
export type ContentStoreFailureCode =
  /** The text is not a content id of the one accepted form. */
  | "CONTENT_ID_MALFORMED"
  /** The object cannot be had from where it was asked for. */
  | "CONTENT_NOT_FOUND"
  /** Nobody served it within the time given. */
  | "CONTENT_TIMEOUT"
  /** Larger than the caller allows. */
  | "CONTENT_TOO_LARGE"
  /** The bytes do not have the name under which they were given. */
  | "CONTENT_MISMATCH"
  /** The store cannot hold or serve anything, e.g. a gateway. */
  | "STORE_READ_ONLY"
  /** The store, or the gateway behind it, cannot be reached. */
  | "STORE_UNREACHABLE"
  /** The store was closed. */
  | "STORE_CLOSED"
  /** The store's configuration, address or key file cannot be used. */
  | "STORE_CONFIG_INVALID";

/** What every error of a store has beside its message. */
export interface ContentStoreFailure extends Error {
  readonly code: ContentStoreFailureCode;
  /** What the message speaks of: ids, sizes, milliseconds, addresses. */
  readonly values: Readonly<Record<string, unknown>>;
}
