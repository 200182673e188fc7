// SPDX-License-Identifier: Apache-2.0

export interface ConvergenceOptions {
  /** Accuracy to reach; .95 of the last one when left out. */
  readonly target?: number;
  /** Evaluations in a row that must reach it; 3 when left out, so that one lucky evaluation does not count. */
  readonly consecutive?: number;
}

/** Index of the first of `consecutive` evaluations in a row at or above the target; undefined if that never happens. */
export function convergenceRound(accuracies: ArrayLike<number>, options: ConvergenceOptions = {}): number | undefined {
  const { target = 0.95 * (accuracies[accuracies.length - 1] ?? NaN), consecutive = 3 } = options;
  let run = 0;
  for (let t = 0; t < accuracies.length; t++) {
    run = (accuracies[t] as number) >= target ? run + 1 : 0;
    if (run === consecutive) return t - consecutive + 1;
  }
  return undefined;
}
