// SPDX-License-Identifier: Apache-2.0

/** f = ⌊(n−1)/3⌋: faulty validators tolerated among n. */
export function toleratedFaults(n: number): number {
  return Math.floor((n - 1) / 3);
}

/** q = ⌊2n/3⌋+1 = n − f. Not 2f+1, which is smaller when n is not 3f+1. */
export function quorum(n: number): number {
  return Math.floor((2 * n) / 3) + 1;
}

/** Yes verdicts that admit an update: f+1, so that an honest validator holds and serves the bytes. */
export function acceptanceThreshold(n: number): number {
  return toleratedFaults(n) + 1;
}
