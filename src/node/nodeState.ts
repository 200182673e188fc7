// SPDX-License-Identifier: Apache-2.0
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { LocalState } from "../learning/algorithms/localAlgorithm.ts";
import type { Hex } from "../protocol/bytes.ts";
import type { UpdateCommitment } from "../protocol/commitment.ts";
import { DecodeError } from "../protocol/errors.ts";
import { decodeLocalState, encodeLocalState } from "./localStateFile.ts";

/** Everything a node has promised for one round. On disk before anything leaves the node, so that a restart resends the same bytes. */
export interface PreparedUpdate {
  readonly round: number;
  readonly artifact: Uint8Array;
  readonly commitment: UpdateCommitment;
  /** EIP-712 signature of the commitment. */
  readonly signature: Hex;
  /** Reported loss, units 2^-16 nats. */
  readonly loss: number;
  readonly salt: bigint;
  /** Error-feedback residual that becomes current if this update is kept; grid units. Absent in a closing round. */
  readonly nextResidual?: Float64Array;
  /** What the client algorithm remembers from then on, likewise. Absent where it stays as it is. */
  readonly nextLocal?: LocalState;
}

/** What kept updates left unsaid. */
export interface StoredResidual {
  /** Grid units. */
  readonly values: Float64Array;
  /** Round of the kept update that left it; undefined before the first, and in a file that does not say. */
  readonly round: number | undefined;
}

const word = z.string().regex(/^0x[0-9a-f]{64}$/) as z.ZodType<Hex>;
const recordSchema = z.strictObject({
  run: z.string().regex(/^[0-9]+$/),
  round: z.int().min(1),
  head: word,
  memberId: z.int().min(1),
  artifactDigest: word,
  artifactCid: word,
  samples: z.int().min(1),
  lossCommitment: z.string().regex(/^[0-9]+$/),
  extension: word,
  signature: z.string().regex(/^0x([0-9a-f]{2})+$/) as z.ZodType<Hex>,
  loss: z.int().min(0),
  salt: word,
  hasResidual: z.boolean(),
  hasLocal: z.boolean().default(false),
});

const ROUND_BYTES = 4;

/**
 * Durable state of a node for one run: the error-feedback residual, what the client algorithm remembers, and the updates in flight. The first two
 * cannot be rebuilt; whoever loses them starts again from nothing, which costs accuracy for some rounds and nothing else.
 */
export class NodeState {
  readonly #folder: string;

  constructor(folder: string, run: bigint) {
    this.#folder = join(folder, `run-${run}`);
  }

  /** Current residual; zero before the first kept update. */
  async residual(size: number): Promise<StoredResidual> {
    const bytes = await readOptional(join(this.#folder, "residual.bin"));
    return bytes === undefined ? { values: new Float64Array(size), round: undefined } : decodeResidual(bytes, size);
  }

  /** What the client algorithm remembers of the last kept update; empty before. */
  async local(): Promise<LocalState> {
    const bytes = await readOptional(join(this.#folder, "local.bin"));
    return bytes === undefined ? {} : decodeLocalState(bytes);
  }

  /** Rounds with an update in flight, ascending: after a restart some of them have closed meanwhile. */
  async pendingRounds(): Promise<number[]> {
    const names = (await readdir(this.#folder).catch(ignoreMissing)) ?? [];
    return names
      .map((name) => /^round-([0-9]+)$/.exec(name)?.[1])
      .filter((digits) => digits !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
  }

  async prepared(round: number): Promise<PreparedUpdate | undefined> {
    const folder = this.#roundFolder(round);
    const json = await readOptional(join(folder, "update.json"));
    if (json === undefined) return undefined;
    const parsed = recordSchema.safeParse(JSON.parse(new TextDecoder().decode(json)));
    if (!parsed.success)
      throw new DecodeError(
        `${join(folder, "update.json")} is not a prepared update: ${z.prettifyError(parsed.error)}`,
      );
    const { signature, loss, salt, run, lossCommitment, hasResidual, hasLocal, ...rest } = parsed.data;
    const residual = hasResidual ? await readOptional(join(folder, "residual.bin")) : undefined;
    const local = hasLocal ? await readOptional(join(folder, "local.bin")) : undefined;
    return {
      round,
      artifact: new Uint8Array(await readFile(join(folder, "artifact.bin"))),
      commitment: { ...rest, run: BigInt(run), lossCommitment: BigInt(lossCommitment) },
      signature,
      loss,
      salt: BigInt(salt),
      ...(residual === undefined ? {} : { nextResidual: decodeResidual(residual, residual.byteLength >> 3).values }),
      ...(local === undefined ? {} : { nextLocal: decodeLocalState(local) }),
    };
  }

  /** Writes and fsyncs; the rename at the end makes it all there or not there. */
  async save(prepared: PreparedUpdate): Promise<void> {
    const folder = this.#roundFolder(prepared.round);
    const temporary = `${folder}.tmp`;
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    const { commitment, signature, loss, salt, nextResidual, nextLocal } = prepared;
    const record: z.infer<typeof recordSchema> = {
      ...commitment,
      run: commitment.run.toString(),
      lossCommitment: commitment.lossCommitment.toString(),
      signature,
      loss,
      salt: `0x${salt.toString(16).padStart(64, "0")}`,
      hasResidual: nextResidual !== undefined,
      hasLocal: nextLocal !== undefined,
    };
    await writeDurably(join(temporary, "artifact.bin"), prepared.artifact);
    if (nextResidual !== undefined)
      await writeDurably(join(temporary, "residual.bin"), encodeResidual(nextResidual, prepared.round));
    if (nextLocal !== undefined) await writeDurably(join(temporary, "local.bin"), encodeLocalState(nextLocal));
    await writeDurably(join(temporary, "update.json"), new TextEncoder().encode(JSON.stringify(record)));
    await rename(temporary, folder);
    await syncFolder(this.#folder);
  }

  /**
   * Closes a round: residual and local state advance when the update was kept in a finalised round and stay as before the round otherwise.
   * Repeating it after a crash changes nothing.
   */
  async close(round: number, kept: boolean): Promise<void> {
    const folder = this.#roundFolder(round);
    if (kept) {
      for (const file of ["residual.bin", "local.bin"])
        await rename(join(folder, file), join(this.#folder, file)).catch(ignoreMissing);
      await syncFolder(this.#folder).catch(ignoreMissing);
    }
    await rm(folder, { recursive: true, force: true });
  }

  #roundFolder(round: number): string {
    return join(this.#folder, `round-${round}`);
  }
}

/** Float64 values, then the round as uint32, little-endian: in one file, so that one rename adopts both. */
function encodeResidual(residual: Float64Array, round: number): Uint8Array {
  const bytes = new Uint8Array(residual.byteLength + ROUND_BYTES);
  bytes.set(new Uint8Array(residual.buffer, residual.byteOffset, residual.byteLength));
  new DataView(bytes.buffer).setUint32(residual.byteLength, round, true);
  return bytes;
}

/** Also of a file that ends with the values, as nodes wrote them before they remembered the round. */
function decodeResidual(bytes: Uint8Array, size: number): StoredResidual {
  const end = 8 * size;
  if (bytes.byteLength !== end && bytes.byteLength !== end + ROUND_BYTES)
    throw new DecodeError(
      `The stored residual has ${bytes.byteLength} bytes; the model takes ${end + ROUND_BYTES}. Delete it to start from zero.`,
    );
  const { buffer } = bytes.slice();
  return {
    values: new Float64Array(buffer, 0, size),
    round: bytes.byteLength === end ? undefined : new DataView(buffer).getUint32(end, true),
  };
}

async function readOptional(path: string): Promise<Uint8Array | undefined> {
  return readFile(path).then((bytes) => new Uint8Array(bytes), ignoreMissing);
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
  throw error;
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename is durable only once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
