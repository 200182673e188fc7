// SPDX-License-Identifier: Apache-2.0
import { abiEncode, abiEncodeWithArrays, abiSignedWord, addressBytes } from "./abi.ts";
import { fromHex, type Hex, toHex } from "./bytes.ts";
import { keccak256, tag } from "./hash.ts";
import { toleratedFaults } from "./quorum.ts";

/** `RunParams.scoring`: scores in the result, recomputable by anybody; or each validator's own, on data that only it has. */
export const SCORING = { exact: 0, attested: 1 } as const;

/** The round, and the place of one validator in its set, that scores belong to. */
export interface ScorePlace {
  readonly chainId: bigint;
  /** ShapleyRewards, which keeps the commitments. */
  readonly rewards: string;
  readonly run: bigint;
  readonly round: number;
  readonly validatorIndex: number;
}

/** One validator's scores of the kept updates, ascending member id, units 2^-20 nats, and what hides them until they are revealed. */
export interface ScoreReveal {
  readonly scores: readonly number[];
  readonly salt: Hex;
}

/** What a validator commits to with its seal. It names the validator's place, so that nobody else can open a copy. */
export function scoreCommitment(place: ScorePlace, { scores, salt }: ScoreReveal): Hex {
  const { chainId, rewards, run, round, validatorIndex } = place;
  return toHex(
    keccak256(
      abiEncodeWithArrays(
        [tag("scores"), chainId, addressBytes(rewards), run, round, validatorIndex, fromHex(salt, 32)],
        [scores.map((score) => abiSignedWord(BigInt(score)))],
      ),
    ),
  );
}

/**
 * The salt of a round's scores, from the validator's secret: a process that was killed makes the same one again. Scores are few small numbers,
 * so only the secret keeps a commitment from being guessed; it leaves this function through a hash alone.
 */
export function scoreSalt(secret: Uint8Array, { chainId, rewards, run, round, validatorIndex }: ScorePlace): Hex {
  return toHex(
    keccak256(
      abiEncode(tag("scores.secret"), keccak256(secret), chainId, addressBytes(rewards), run, round, validatorIndex),
    ),
  );
}

/** Reveals without which all scores of a round are 0: 2f+1 of n validators. */
export function revealsNeeded(n: number): number {
  return 2 * toleratedFaults(n) + 1;
}

/**
 * The element at ⌊(m − 1)/2⌋ of m ≥ 1 numbers in ascending order. Among at least 2f+1 of which at most f are lies it lies between two honest
 * ones.
 */
export function lowerMedian(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const median = sorted[(sorted.length - 1) >> 1];
  if (median === undefined) throw new RangeError("There is no median of nothing.");
  return median;
}

/**
 * The scores that count: per kept update the lower median of what was revealed, or 0 for all with fewer than 2f+1 reveals. The contract takes no
 * reveal of another length; a score that an endpoint leaves out is read as 0.
 */
export function mediansOf(reveals: readonly (readonly number[])[], kept: number, validators: number): number[] {
  const rows = Array.from({ length: kept }, (_, row) => row);
  if (reveals.length < revealsNeeded(validators)) return rows.map(() => 0);
  return rows.map((row) => lowerMedian(reveals.map((scores) => scores[row] ?? 0)));
}
