// SPDX-License-Identifier: Apache-2.0

/** Mean and sample standard deviation over n seeds. */
export interface Spread {
  readonly mean: number;
  readonly std: number;
  readonly n: number;
}

/** One combination of choices, all its seeds. */
export interface GroupReport {
  readonly labels: Readonly<Record<string, string>>;
  /** Accuracy of the global model by round: the seeds' mean, least and most. */
  readonly curve: readonly {
    readonly round: number;
    readonly mean: number;
    readonly low: number;
    readonly high: number;
  }[];
  /** The same over the virtual clock, for what runs on one: at every time at which a seed was evaluated, what each had reached by then. */
  readonly timeCurve?: readonly {
    readonly seconds: number;
    readonly mean: number;
    readonly low: number;
    readonly high: number;
  }[];
  readonly measures: Readonly<Record<string, Spread | undefined>>;
  /** Accuracy of each seed's last model, in the order of the seeds; for paired tests. */
  readonly accuracies: readonly number[];
  /** Members' accuracies of all seeds together, ascending. */
  readonly members: readonly number[];
  readonly uplinkBytes: number;
  readonly downlinkBytes: number;
  /** Uplink as a share of float32 updates. */
  readonly uplinkShare: number;
  readonly failedRounds: number;
  readonly seconds: number;
}

export interface ClaimReport {
  readonly claim: string;
  readonly holds: boolean;
  readonly value: number | null;
  readonly min?: number;
  readonly max?: number;
}

/** A pair of combinations compared over the same seeds. */
export interface ComparisonReport {
  readonly left: string;
  readonly right: string;
  /** Points of accuracy, left − right, mean over seeds. */
  readonly difference: number;
  /** Two-sided p of the paired t-test over seeds; after Holm's correction over the table. */
  readonly p: number;
  readonly adjusted: number;
  /** Cohen's d_z. */
  readonly effect: number;
  readonly n: number;
}

/** What a page shows of one experiment. All text is untrusted. */
export interface ExperimentReport {
  readonly name: string;
  readonly title: string;
  readonly question: string;
  /** What people made of the results. */
  readonly reading: string;
  readonly axes: readonly string[];
  readonly seeds: readonly number[];
  readonly groups: readonly GroupReport[];
  readonly claims: readonly ClaimReport[];
  readonly comparisons: readonly ComparisonReport[];
}
