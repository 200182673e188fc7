// SPDX-License-Identifier: Apache-2.0
import { keyedRandom } from "../protocol/random.ts";

/** Where in a run's history an update stands: what every reader knows of it before its bytes. */
export interface RoundPlace {
  readonly run: bigint;
  readonly round: number;
}

/** A round's rand-k mask. */
export interface MaskSpec extends RoundPlace {
  /** k. */
  readonly keep: number;
  /** d. */
  readonly size: number;
  /** Takes the place of the protocol's own name of the stream. */
  readonly seed?: string | undefined;
}

/** Masks that are remembered: the round under way and the one being audited. */
const REMEMBERED = 2;
const remembered = new Map<string, Uint32Array>();

/**
 * The k coordinates, ascending, that every member sends in a round: a uniform choice from a public stream, the same for all, so that updates add
 * up coordinate by coordinate. Read only.
 *
 * Floyd's method on a bitmap: k draws, d/8 bytes while it is made and 4k bytes afterwards. The last masks are kept, since all updates of a round
 * have the same one.
 *
 * Source: Bentley & Floyd 1987, algorithm F2.
 */
export function roundMask({ run, round, keep, size, seed = "foedus.v1.rand-k" }: MaskSpec): Uint32Array {
  const name = JSON.stringify([seed, String(run), round, keep, size]);
  const known = remembered.get(name);
  if (known !== undefined) return known;
  const chosen = new Uint8Array(Math.ceil(size / 8));
  const random = keyedRandom(seed, run, round);
  for (let last = size - keep; last < size; last++) {
    const drawn = random.integerBelow(last + 1);
    set(chosen, has(chosen, drawn) ? last : drawn);
  }
  const mask = new Uint32Array(keep);
  let next = 0;
  for (let byte = 0; byte < chosen.length; byte++) {
    if (chosen[byte] === 0) continue;
    for (let j = 8 * byte; j < 8 * byte + 8; j++) if (has(chosen, j)) mask[next++] = j;
  }
  for (const old of remembered.keys()) if (remembered.size >= REMEMBERED) remembered.delete(old);
  remembered.set(name, mask);
  return mask;
}

function has(bits: Uint8Array, j: number): boolean {
  return (((bits[Math.floor(j / 8)] as number) >>> (j % 8)) & 1) === 1;
}

function set(bits: Uint8Array, j: number): void {
  bits[Math.floor(j / 8)] = (bits[Math.floor(j / 8)] as number) | (1 << (j % 8));
}
