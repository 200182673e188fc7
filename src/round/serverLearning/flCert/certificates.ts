// SPDX-License-Identifier: Apache-2.0
import { betaInverse } from "../../../numerics/incompleteBeta.ts";
import type { EnsembleConfig } from "../serverConfig.ts";

/** What a vote says of one sample. */
export interface Certificate {
  /** The majority's label; among equals the lowest. */
  readonly label: number;
  /** M*: so many malicious members, whatever they send, do not change the label. −1: no statement (abstain). */
  readonly members: number;
}

/** FLCert-P's confidence and population. */
export interface SampledCertificateOptions {
  /** n, all members. */
  readonly members: number;
  /** k, the size of a group. */
  readonly groupSize: number;
  /** Probability that a certificate is wrong. */
  readonly alpha: number;
  /**
   * Bounds that must hold together: α is divided by it. 2 (the label and the runner-up), as the specification has it, takes the runner-up for
   * known beforehand; the number of classes is the union bound that does not.
   */
  readonly bounds?: number | undefined;
}

/** The certificate of one sample's votes, for the variant that a config names among `members` members. */
export function certificateOf(config: EnsembleConfig, votes: ArrayLike<number>, members: number): Certificate {
  if (config.name === "flcert-d") return disjointCertificate(votes);
  const { groupSize, alpha, bounds } = config;
  return sampledCertificate(votes, { members, groupSize, alpha, bounds });
}

/**
 * FLCert-D (Cao et al. 2022): each member is in one group, so that one malicious member changes one vote, and
 *
 *     M* = ⌊(n_y − max_{z≠y} (n_z + 1[z < y])) / 2⌋.
 */
export function disjointCertificate(votes: ArrayLike<number>): Certificate {
  const label = majority(votes);
  const rival = runnerUp(votes, label, (z) => (z < label ? 1 : 0));
  return { label, members: Math.floor(((votes[label] as number) - rival) / 2) };
}

/**
 * FLCert-P: groups are random, so the certificate holds with probability 1 − α. With Clopper–Pearson bounds p̲_y and p̄_z ≤ 1 − p̲_y,
 * M* is the largest m with C(n−m, k)/C(n, k) > 1 − (p̲_y − p̄_z)/2; p̲_y ≤ p̄_z says nothing.
 */
export function sampledCertificate(votes: ArrayLike<number>, options: SampledCertificateOptions): Certificate {
  const label = majority(votes);
  const groups = Array.from(votes).reduce((sum, count) => sum + count, 0);
  const { lower, upper } = voteBounds(
    votes[label] as number,
    runnerUp(votes, label, () => 0),
    groups,
    options.alpha / (options.bounds ?? 2),
  );
  return { label, members: certifiedMembers(lower, upper, options.members, options.groupSize) };
}

/** p̲_y and p̄_z, each wrong with probability at most `alpha`. */
export function voteBounds(
  votesFor: number,
  votesRival: number,
  groups: number,
  alpha: number,
): { readonly lower: number; readonly upper: number } {
  const lower = votesFor === 0 ? 0 : betaInverse(alpha, votesFor, groups - votesFor + 1);
  const upper = votesRival === groups ? 1 : betaInverse(1 - alpha, votesRival + 1, groups - votesRival);
  return { lower, upper: Math.min(upper, 1 - lower) };
}

/** FLCert-P's M* from the bounds; −1 when they overlap. */
export function certifiedMembers(lower: number, upper: number, members: number, groupSize: number): number {
  if (lower <= upper) return -1;
  const threshold = 1 - (lower - upper) / 2;
  let m = 0;
  while (m < members - groupSize && untouchedShare(members, m + 1, groupSize) > threshold) m += 1;
  return m;
}

/** C(n−m, k)/C(n, k): the share of groups without any of m given members. */
export function untouchedShare(members: number, malicious: number, groupSize: number): number {
  let share = 1;
  for (let j = 0; j < groupSize; j++) share *= Math.max(0, members - malicious - j) / (members - j);
  return share;
}

/** Certified accuracy at m: the share of samples whose label is right and stays so under m malicious members. */
export function certifiedAccuracy(
  certificates: readonly Certificate[],
  labels: ArrayLike<number>,
  malicious: number,
): number {
  let certain = 0;
  for (const [b, { label, members }] of certificates.entries())
    if (label === labels[b] && members >= malicious) certain += 1;
  return certain / certificates.length;
}

function majority(votes: ArrayLike<number>): number {
  let best = 0;
  for (let c = 1; c < votes.length; c++) if ((votes[c] as number) > (votes[best] as number)) best = c;
  return best;
}

function runnerUp(votes: ArrayLike<number>, label: number, handicap: (z: number) => number): number {
  let most = 0;
  for (let z = 0; z < votes.length; z++) if (z !== label) most = Math.max(most, (votes[z] as number) + handicap(z));
  return most;
}
