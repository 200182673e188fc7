// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import type * as Snarkjs from "snarkjs";
import { type Contribution, readContributions } from "./contributions.ts";
import { CeremonyError } from "./errors.ts";

/**
 * The steps of phase 2 of a Groth16 ceremony (Bowe, Gabizon, Miers, eprint 2017/1050). Each participant multiplies δ by a secret and forgets
 * it; the key is sound if one of them really did. Every step verifies what it is given against the circuit and the powers of tau before it
 * adds anything, so an early forgery is found by the next participant and not by the last.
 *
 * Keys and powers of tau are bytes in memory (snarkjs leaves the files it opens to the garbage collector): 36 MB of powers and 25 MB of key
 * for 32 participants. `snarkjs` is passed in: the command uses all cores, tests one thread.
 */
export interface CeremonyContext {
  readonly snarkjs: typeof Snarkjs;
  /** The constraint system, compiled by this participant from its own checkout, never taken from another. */
  readonly r1cs: Uint8Array;
  /** Prepared powers of tau (phase 1), at least as large as the circuit. */
  readonly ptau: Uint8Array;
  /** Progress of snarkjs. */
  readonly say: (line: string) => void;
}

interface MemoryFile {
  type: "mem";
  data?: Uint8Array;
}

function inMemory(data: Uint8Array): MemoryFile {
  return { type: "mem", data };
}

/** The file that a step of snarkjs wrote to memory. */
function written({ data }: MemoryFile): Uint8Array {
  if (data === undefined) throw new CeremonyError("snarkjs wrote no key.");
  return data;
}

/** Collects the reason that snarkjs gives its logger instead of throwing. */
function listen(say: (line: string) => void): { logger: Snarkjs.Logger; reason: () => string } {
  const errors: string[] = [];
  const logger: Snarkjs.Logger = {
    debug: () => {},
    info: say,
    warn: say,
    error: (message) => void errors.push(message),
  };
  return { logger, reason: () => errors.join("; ") || "snarkjs gives no reason" };
}

/**
 * Checks the powers of tau themselves: every contribution of phase 1 and the prepared form.
 *
 * @throws CeremonyError if they do not verify.
 */
export async function verifyPowersOfTau({ snarkjs, ptau, say }: CeremonyContext): Promise<void> {
  const { logger, reason } = listen(say);
  const valid = await snarkjs.powersOfTau.verify(inMemory(ptau), logger).catch((cause: unknown) => {
    throw new CeremonyError("The file cannot be read as powers of tau.", {}, cause);
  });
  if (!valid)
    throw new CeremonyError(
      `The powers of tau do not verify: ${reason()}. Fetch them again from a source that publishes their digest.`,
    );
}

/**
 * Makes the first key, to which nobody has contributed. It is worth nothing yet: δ = γ = 1, so anybody can forge with it.
 *
 * @throws CeremonyError if the powers of tau are too small or not prepared.
 */
export async function startKey({ snarkjs, r1cs, ptau, say }: CeremonyContext): Promise<Uint8Array> {
  const { logger, reason } = listen(say);
  const zkey: MemoryFile = { type: "mem" };
  if ((await snarkjs.zKey.newZKey(inMemory(r1cs), inMemory(ptau), zkey, logger)) === -1) {
    throw new CeremonyError(
      `The powers of tau do not fit this circuit: ${reason()}. Use a larger file, prepared for phase 2.`,
    );
  }
  return written(zkey);
}

/**
 * Proves that the key belongs to this circuit and these powers of tau and that every contribution in its history was applied.
 *
 * @returns the history.
 * @throws CeremonyError otherwise.
 */
export async function verifyKey(
  { snarkjs, r1cs, ptau, say }: CeremonyContext,
  zkey: Uint8Array,
): Promise<Contribution[]> {
  const { logger, reason } = listen(say);
  const valid = await snarkjs.zKey
    .verifyFromR1cs(inMemory(r1cs), inMemory(ptau), inMemory(zkey), logger)
    .catch((cause: unknown) => {
      throw new CeremonyError("The file cannot be read as a proving key.", {}, cause);
    });
  if (!valid)
    throw new CeremonyError(
      `This is not a key of this circuit and these powers of tau: ${reason()}. Do not build on it; ask who sent it.`,
    );
  return readContributions(zkey);
}

/** A key with one more entry in its history. */
export interface ContributedKey {
  readonly zkey: Uint8Array;
  /** Of the new contribution, hexadecimal: to be published where others can compare it with what `verify` shows. */
  readonly hash: string;
}

/**
 * Adds this participant's secret randomness, drawn here and nowhere kept.
 *
 * @throws CeremonyError if the key does not verify, is closed by a beacon, or has a contribution of this name.
 */
export async function contribute(context: CeremonyContext, from: Uint8Array, name: string): Promise<ContributedKey> {
  if (!/^[\x20-\x7e]{1,64}$/.test(name))
    throw new CeremonyError(`A contribution's name is 1 to 64 printable ASCII characters, not "${name}".`, { name });
  const history = await verifyKey(context, from);
  if (history.at(-1)?.kind === "beacon")
    throw new CeremonyError(
      "The key is closed: its last contribution is the beacon. Start a new ceremony to add participants.",
    );
  if (history.some((contribution) => contribution.name === name))
    throw new CeremonyError(`"${name}" has contributed already. Each participant contributes once.`, { name });
  const { logger } = listen(context.say);
  const to: MemoryFile = { type: "mem" };
  const hash = await context.snarkjs.zKey.contribute(inMemory(from), to, name, randomBytes(64).toString("hex"), logger);
  return { zkey: written(to), hash: Buffer.from(hash).toString("hex") };
}

/** A beacon: randomness that was public only after the last participant had contributed. */
export interface Beacon {
  /** Hexadecimal; for example a drand round or a block hash announced beforehand. */
  readonly value: string;
  /** log2 of the SHA-256 iterations that delay it, 10 to 63. */
  readonly iterationsExponent: number;
}

/**
 * Closes the ceremony with a beacon, which takes from the last participant the choice among several outcomes.
 *
 * @throws CeremonyError if the key does not verify, has no participant yet, is closed, or the beacon is malformed.
 */
export async function applyBeacon(
  context: CeremonyContext,
  from: Uint8Array,
  { value, iterationsExponent }: Beacon,
): Promise<ContributedKey> {
  if (!/^(?:[0-9a-f]{2}){16,255}$/i.test(value))
    throw new CeremonyError(`A beacon is 16 to 255 bytes of hexadecimal without prefix, not "${value}".`, { value });
  if (!Number.isInteger(iterationsExponent) || iterationsExponent < 10 || iterationsExponent > 63) {
    throw new CeremonyError(`The beacon's iterations are 2^10 to 2^63, not 2^${iterationsExponent}.`, {
      iterationsExponent,
    });
  }
  const history = await verifyKey(context, from);
  if (history.length === 0)
    throw new CeremonyError(
      "Nobody has contributed yet. A key whose only randomness is a public beacon has no secret.",
    );
  if (history.at(-1)?.kind === "beacon")
    throw new CeremonyError("The key is closed already: its last contribution is a beacon.");
  const { logger, reason } = listen(context.say);
  const to: MemoryFile = { type: "mem" };
  const hash = await context.snarkjs.zKey.beacon(inMemory(from), to, "beacon", value, iterationsExponent, logger);
  if (hash === false) throw new CeremonyError(`snarkjs refused the beacon: ${reason()}.`, { value });
  return { zkey: written(to), hash: Buffer.from(hash).toString("hex") };
}

/**
 * Whether a key may be used: verified, at least `minimum` participants, closed by a beacon.
 *
 * @throws CeremonyError otherwise.
 */
export async function requireFinished(
  context: CeremonyContext,
  zkey: Uint8Array,
  minimum: number,
): Promise<Contribution[]> {
  if (!Number.isInteger(minimum) || minimum < 1)
    throw new CeremonyError(`The least number of participants is at least 1, not ${minimum}.`, { minimum });
  const history = await verifyKey(context, zkey);
  const participants = history.filter(({ kind }) => kind === "participant").length;
  if (participants < minimum)
    throw new CeremonyError(
      `${participants} participants have contributed, ${minimum} are required. Whoever knows all their secrets can forge proofs.`,
      { participants, minimum },
    );
  if (history.at(-1)?.kind !== "beacon")
    throw new CeremonyError(
      "The last contribution is not a beacon. Apply one, so that the last participant did not choose the key.",
    );
  return history;
}
