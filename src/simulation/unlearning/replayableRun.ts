// SPDX-License-Identifier: Apache-2.0

/** A model of a run, with what names it bit for bit. */
export interface Head {
  /** 0 is the initial model. */
  readonly round: number;
  /** Digest of the head, hexadecimal: equal exactly when the models are. */
  readonly digest: string;
  /** Parameters. */
  readonly state: Float32Array;
  /** Why the round failed, where it did; the model is then that of the round before. */
  readonly failed?: string | undefined;
}

/**
 * A run that can be repeated, because everything random in it is keyed by round and member.
 *
 * To leave a member out is defined as S^t ∖ {u}: the cohort is drawn from all members as before, and nobody takes the absent one's place.
 */
export interface ReplayableRun {
  /** The heads of the run as it was: heads[t] after round t, heads[0] the initial model. */
  readonly heads: readonly Head[];
  /** Members whose updates were accepted in a round, 1 … T. */
  accepted(round: number): readonly number[];
  /**
   * Repeats rounds `from` … T from the head before, without these members.
   *
   * @returns the heads after each of them.
   */
  replay(from: number, without: readonly number[]): Promise<readonly Head[]>;
}

/** T. */
export function roundsOf(run: ReplayableRun): number {
  return run.heads.length - 1;
}

/** The first round that a member's update entered; undefined if none did. */
export function firstRoundOf(run: ReplayableRun, member: number): number | undefined {
  for (let round = 1; round <= roundsOf(run); round++) if (run.accepted(round).includes(member)) return round;
  return undefined;
}
