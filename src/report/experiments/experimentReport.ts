// SPDX-License-Identifier: Apache-2.0

/** Mean and sample standard deviation over n seeds. */
export interface Spread {
  readonly mean: number;
  readonly std: number;
  readonly n: number;
}

/** What was chosen along each axis. */
export type Labels = Readonly<Record<string, string>>;

/** How evenly the members are served, each of one seed's spreads over its members (spec F9): mean and standard deviation over seeds. */
export interface FairnessReport {
  /** Population standard deviation of the members' accuracies. */
  readonly std: Spread;
  /** Mean of the ⌈.05K⌉ lowest, and of the ⌈.05K⌉ highest. */
  readonly worst5: Spread;
  readonly best5: Spread;
  /** Best − worst. */
  readonly range: Spread;
  readonly jain: Spread;
  /** K, members that were measured; fewer in some seeds perhaps. */
  readonly members: Spread;
  /** Those in which members were measured. */
  readonly seeds: readonly number[];
}

/** One combination of choices, all its seeds. */
export interface GroupReport {
  readonly labels: Labels;
  /** Seeds that have run, in the order of `accuracies`. */
  readonly seeds: readonly number[];
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
  /** Absent where members were not measured. */
  readonly fairness?: FairnessReport;
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

/** A pair of combinations compared over the same seeds (spec F10). Effects are infinite or NaN where nothing varies. */
export interface ComparisonReport {
  readonly left: Labels;
  readonly right: Labels;
  /** Accuracy, left − right, mean over seeds. */
  readonly difference: number;
  /** Of the paired t-test over seeds. */
  readonly t: number;
  readonly degreesOfFreedom: number;
  /** Two-sided; `adjusted` after Holm's correction over the experiment's comparisons. */
  readonly p: number;
  readonly adjusted: number;
  /** Cohen's d, in standard deviations of one measurement, and Hedges' g, which is d without its bias in small samples. */
  readonly d: number;
  readonly g: number;
  /** Cohen's d_z, in standard deviations of the difference. */
  readonly dz: number;
  /** What both have run; n of them. */
  readonly seeds: readonly number[];
}

/** An F-test. */
export interface FTestReport {
  readonly f: number;
  readonly degreesOfFreedom: readonly [number, number];
  readonly p: number;
}

/** Whether the choices along one axis differ at all, those of the other axes being equal (spec F10). */
export interface AnovaReport {
  /** The axis, and its choices. */
  readonly along: string;
  readonly choices: readonly string[];
  /** Of the other axes. */
  readonly labels: Labels;
  /** Takes runs as independent. */
  readonly oneWay: FTestReport;
  /** Takes out what the seeds differ in: method and block. */
  readonly twoWay: FTestReport;
  /** What every choice has run; n of them for each. */
  readonly seeds: readonly number[];
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
  readonly anovas: readonly AnovaReport[];
}
