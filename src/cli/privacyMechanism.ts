// SPDX-License-Identifier: Apache-2.0
import { extentOf } from "../learning/algorithms/batches.ts";
import { type CohortSampling, noiseOf } from "../privacy/deployment.ts";
import type { NeighbourRelation, PrivacyUnit } from "../privacy/neighbours.ts";
import { recordSampling } from "../privacy/recordLevel.ts";
import { ConfigError } from "../protocol/errors.ts";

/** The deployments of spec D6, and DP-SGD (D7). */
type PrivacyMode = "central" | "distributed" | "local" | "record";

/** What a planner may say of a mechanism; what is left out follows from the rest. */
export interface MechanismRequest {
  readonly mode: PrivacyMode;
  readonly rounds: number;
  readonly delta: number;
  /** C, model units. */
  readonly clip: number;
  readonly relation?: NeighbourRelation;
  readonly cohorts?: "poisson" | "fixed-size";
  /** q of cohorts. */
  readonly sampling?: number;
  readonly published?: boolean;
  /** K. */
  readonly cohort?: number;
  readonly colluders?: number;
  /** n, B and E or the steps of a round, for records. */
  readonly samples?: number;
  readonly batch?: number;
  readonly epochs?: number;
  readonly steps?: number;
  /** d of the model, for the length of the noise on an update. */
  readonly parameters?: number;
}

/** A mechanism that exists: relation, sampling and mode fit together. */
export interface Mechanism {
  readonly mode: PrivacyMode;
  /** Whom the guarantee protects. */
  readonly unit: PrivacyUnit;
  readonly relation: NeighbourRelation;
  /** Of cohorts; of records, how batches are drawn, which only the member knows. */
  readonly sampling: CohortSampling;
  readonly rounds: number;
  /** Releases of a round: 1, or the steps of DP-SGD. */
  readonly steps: number;
  readonly delta: number;
  readonly clipNorm: number;
  readonly cohort?: number;
  readonly colluders: number;
  /** n and B, for records, and E where the steps of a round follow from it. */
  readonly records?: { readonly samples: number; readonly batchSize: number; readonly epochs?: number };
}

/**
 * What the words of a request come to (spec D3 to D7).
 *
 * @throws ConfigError for words that contradict each other, with the reason and what to write instead.
 */
export function mechanismOf(request: MechanismRequest): Mechanism {
  const { mode, rounds, delta, clip: clipNorm, cohort, colluders = 0 } = request;
  if (!(delta > 0 && delta < 1)) throw new ConfigError(`δ is ${delta}; it lies between 0 and 1.`, { delta });
  if (colluders > 0 && mode !== "distributed")
    throw new ConfigError(`Colluders weaken distributed noise only, not ${mode} noise; leave --colluders out.`);
  const common = { mode, rounds, delta, clipNorm, colluders };
  if (mode === "record") return { ...common, ...recordsOf(request) };
  for (const name of ["samples", "batch", "epochs", "steps"] as const) {
    if (request[name] !== undefined)
      throw new ConfigError(
        `--${name} belongs to privacy of records; ${mode} noise protects members whole. Leave it out, or take --mode record.`,
      );
  }
  const whole = { ...common, unit: "client" as const, steps: 1, ...(cohort === undefined ? {} : { cohort }) };
  if (mode === "local") return { ...whole, relation: "replace-one", sampling: localSampling(request) };
  if (mode === "distributed" && cohort === undefined)
    throw new ConfigError(
      "Distributed noise is zC/√K at each of K members; state K with --cohort, the least that a round may have.",
    );
  const sampling = cohortSampling(request);
  return { ...whole, sampling, relation: sampling.kind === "fixed-size" ? "replace-one" : "add-remove" };
}

function recordsOf({ relation, samples, batch, epochs, steps, parameters, ...request }: MechanismRequest) {
  for (const name of ["cohorts", "sampling", "published", "cohort"] as const) {
    if (request[name] !== undefined && request[name] !== false)
      throw new ConfigError(
        `--${name} is about cohorts of members. Privacy of records samples each member's own records, secretly, with q = B/n from --batch and --samples, and counts on nothing else.`,
      );
  }
  if (parameters !== undefined)
    throw new ConfigError(
      "--parameters compares the noise on a member's update with the longest update. The noise of DP-SGD is on gradients, within the training; leave it out.",
      { parameters },
    );
  if (relation === "replace-one")
    throw new ConfigError(
      "DP-SGD draws its batches by Poisson sampling, whose accountant is of add-remove neighbours; replace-one is of samples of fixed size, which no member draws. Take --relation add-remove.",
      { relation },
    );
  if (samples === undefined || batch === undefined || (epochs === undefined) === (steps === undefined))
    throw new ConfigError(
      "Privacy of records depends on a member's samples n, its batches B and what it does in a round: state --samples, --batch, and either --epochs or --steps.",
    );
  const counts = { samples, batchSize: batch, ...(epochs === undefined ? {} : { epochs }) };
  return { unit: "record" as const, relation: "add-remove" as const, ...extentOfRecords(counts, steps) };
}

/** @param localSteps of a round, where they do not follow from passes through the data. */
function extentOfRecords(records: NonNullable<Mechanism["records"]>, localSteps?: number) {
  const { samples, batchSize, epochs } = records;
  const extent = epochs === undefined ? { localSteps: localSteps as number } : { localEpochs: epochs };
  const plan = { batchSize, learningRate: 1, momentum: 0, ...extent } as Parameters<typeof extentOf>[0];
  return {
    sampling: { kind: "poisson" as const, rate: recordSampling(records), published: false },
    steps: extentOf(plan, samples).steps,
    records,
  };
}

/**
 * The same mechanism at the next larger member that takes more steps in a round, ⌈n/B⌉·B + 1 samples for passes through the data; up to there
 * q = B/n falls and nothing else changes. Undefined where more samples never mean more steps.
 */
export function withMoreSteps(mechanism: Mechanism): Mechanism | undefined {
  const { records } = mechanism;
  if (records?.epochs === undefined) return undefined;
  const samples = Math.ceil(records.samples / records.batchSize) * records.batchSize + 1;
  return { ...mechanism, ...extentOfRecords({ ...records, samples }) };
}

function localSampling({ sampling = 1, cohorts, relation, published = false }: MechanismRequest): CohortSampling {
  if (published)
    throw new ConfigError(
      "--published is about sampled cohorts. A local release is of one member's vector, and everybody sees whose it is: leave --published out.",
    );
  if (sampling < 1 || cohorts !== undefined)
    throw new ConfigError(
      `A local release is of one member's vector, and whoever receives it knows whose it is: sampling${sampling < 1 ? ` with q = ${sampling}` : ""} hides nobody. Leave --sampling and --cohorts out, or plan central noise.`,
      { sampling },
    );
  if (relation === "add-remove")
    throw new ConfigError(
      "Local noise hides which of any two vectors a member sent: its neighbours replace one member's data (S = 2C). That a member took part at all shows, so add-remove says nothing here. Take --relation replace-one.",
      { relation },
    );
  return { kind: "everybody", rate: 1, published: true };
}

function cohortSampling(request: MechanismRequest): CohortSampling {
  const { relation, cohorts, sampling: rate = 1, published = false } = request;
  if (!(rate > 0 && rate <= 1)) throw new ConfigError(`A sampling rate of ${rate} is not in (0, 1].`, { rate });
  if (relation === "replace-one" && cohorts === "poisson")
    throw new ConfigError(
      "Poisson cohorts are accounted for add-remove neighbours, S = C; the bound for replace-one, S = 2C, is of cohorts of fixed size. Take --cohorts fixed-size, or --relation add-remove.",
      { relation, cohorts },
    );
  if (relation === "add-remove" && cohorts === "fixed-size")
    throw new ConfigError(
      "A cohort of fixed size stays K when a member comes or goes: its neighbours replace one member, S = 2C. Take --cohorts poisson, or --relation replace-one.",
      { relation, cohorts },
    );
  if (relation === "replace-one" || cohorts === "fixed-size") return { kind: "fixed-size", rate, published };
  if (rate === 1 && cohorts === undefined) return { kind: "everybody", rate, published: true };
  return { kind: "poisson", rate, published };
}

/** Standard deviations of the noise, model units per coordinate. */
export interface Sigmas {
  /** What a member adds to its update, or, for records, to the sum of a batch's gradients in every step; 0 where the server adds the noise. */
  readonly member: number;
  /** What the server adds to the sum of the updates; 0 where members did. */
  readonly server: number;
  /** On the mean of K updates, or of B gradients; absent where K was not said. */
  readonly mean?: number;
  /** Whom the guarantee is against. */
  readonly against: string;
}

/** @throws ConfigError when more than half of the cohort may collude. */
export function sigmasOf(mechanism: Mechanism, noiseMultiplier: number): Sigmas {
  const { mode, clipNorm, cohort, colluders, records } = mechanism;
  if (mode === "record") {
    const member = noiseMultiplier * clipNorm;
    return { member, server: 0, mean: member / (records?.batchSize as number), against: "the server and everybody" };
  }
  const { client, server, mean, against } = noiseOf({
    mode,
    clipNorm,
    noiseMultiplier,
    // What a member or the server adds does not depend on K where K may be left out.
    cohort: cohort ?? 1,
    colluders,
  });
  return { member: client, server, against, ...(cohort === undefined ? {} : { mean }) };
}
