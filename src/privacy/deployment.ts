// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import { type NeighbourRelation, sensitivityOf } from "./neighbours.ts";
import { fixedSizeGaussian, poissonGaussian, type RdpCurve } from "./rdp.ts";

/** Who adds the noise (spec D6). */
export type DeploymentMode = "local" | "central" | "distributed";

export interface Deployment {
  readonly mode: DeploymentMode;
  /** C, model units. */
  readonly clipNorm: number;
  /** z. */
  readonly noiseMultiplier: number;
  /** K, clients of a round. */
  readonly cohort: number;
  /** Clients of the cohort that tell the server their noise; at most K/2. Distributed only. */
  readonly colluders?: number;
}

/** Standard deviations of a deployment's noise, model units, per coordinate. */
export interface DeploymentNoise {
  /** What each client adds to its clipped update; 0 where the server adds the noise. */
  readonly client: number;
  /** What the server adds to the sum; 0 where the clients did. */
  readonly server: number;
  /** Of the mean of K updates with fixed denominator K; with colluders, who may leave theirs out, no less than it. */
  readonly mean: number;
  /** What the guarantee is against. */
  readonly against: string;
}

/**
 * local: σ = z·2C at every client, 2zC/√K on the mean, against everybody. central: zC on the sum, zC/K on the mean, against whoever sees only
 * results. distributed: zC/√(K − colluders) at every client, so that the noise of those who keep theirs secret sums to zC; it protects against a
 * server only if the server sees nothing but the sum.
 *
 * @throws ConfigError when more than half of the cohort may collude.
 */
export function noiseOf({ mode, clipNorm, noiseMultiplier, cohort, colluders = 0 }: Deployment): DeploymentNoise {
  if (colluders > 0 && mode !== "distributed")
    throw new ConfigError(`${colluders} colluders mean something for distributed noise only, not for ${mode} noise.`);
  if (2 * colluders > cohort)
    throw new ConfigError(`Distributed noise bears at most half of ${cohort} clients colluding, not ${colluders}.`);
  const unit = noiseMultiplier * clipNorm;
  if (mode === "local") {
    const client = noiseMultiplier * sensitivityOf("replace-one", clipNorm);
    return { client, server: 0, mean: client / Math.sqrt(cohort), against: "the server and everybody" };
  }
  if (mode === "central")
    return {
      client: 0,
      server: unit,
      mean: unit / cohort,
      against: "those who see results only; the server is trusted",
    };
  const client = unit / Math.sqrt(cohort - colluders);
  return {
    client,
    server: 0,
    mean: (client * Math.sqrt(cohort)) / cohort,
    against: "a server that sees nothing but the sum of the updates",
  };
}

/** How a round's cohort comes to be, and who learns of it. */
export interface CohortSampling {
  readonly kind: "poisson" | "fixed-size" | "everybody";
  /** q: the probability of each client, or K/N. */
  readonly rate: number;
  /** Whether those whom the guarantee is against learn who took part: on chain always. */
  readonly published: boolean;
}

/** q as privacy may count it, and why. */
export interface EffectiveSampling {
  readonly rate: number;
  readonly reason: string;
}

/** Sampling hides somebody only as long as it is secret: a cohort that is on chain, or known to the server, counts as everybody (FIX 1-9). */
export function effectiveSampling({ kind, rate, published }: CohortSampling): EffectiveSampling {
  if (kind === "everybody" || rate === 1) return { rate: 1, reason: "every client takes part in every round" };
  if (published)
    return { rate: 1, reason: `the cohort is published, so its sampling with q = ${rate} hides nobody: q := 1` };
  return { rate, reason: `the cohort is drawn secretly with q = ${rate}` };
}

/**
 * What one round costs, in the relation that belongs to the deployment: a local release is of a single vector (replace-one, S = 2C, q = 1); the
 * noisy sum of a Poisson sample is add-remove with S = C; that of a sample of fixed size replace-one with S = 2C.
 */
export function roundCurve(
  { mode, noiseMultiplier }: Pick<Deployment, "mode" | "noiseMultiplier">,
  sampling: CohortSampling,
): RdpCurve<NeighbourRelation> {
  // Local noise is 2zC already, and whoever receives the vector knows whose it is.
  if (mode === "local") return fixedSizeGaussian(1, noiseMultiplier);
  const { rate } = effectiveSampling(sampling);
  // Of the noise zC a replaced client, who moves the sum by 2C, sees half the multiplier.
  return sampling.kind === "fixed-size"
    ? fixedSizeGaussian(rate, noiseMultiplier / 2)
    : poissonGaussian(rate, noiseMultiplier);
}

/** What decides whether a deployment keeps its promise. */
export interface DeploymentSurroundings {
  /** The run's rule, and whether its weights depend on n_i. */
  readonly rule: { readonly name: string; readonly sizeWeighted: boolean };
  /** Whether the server, or anybody, sees single updates. On chain: yes, all validators do. */
  readonly singleUpdatesSeen: boolean;
  /** Whether aggregation can be repeated by others from published data: then nobody can add secret noise to it. */
  readonly replayable: boolean;
}

/** Rules whose result is a fixed linear function of the updates, once weights by sample counts are refused. */
const LINEAR_RULES: ReadonlySet<string> = new Set(["uniform-mean", "weighted-mean", "mean"]);

/**
 * Refuses deployments that would promise privacy and not give it (spec D6, §O).
 *
 * @throws ConfigError with the reason and what to write instead.
 */
export function requireSound(mode: DeploymentMode, surroundings: DeploymentSurroundings): void {
  const { rule, singleUpdatesSeen, replayable } = surroundings;
  if (rule.sizeWeighted) {
    throw new ConfigError(
      `${rule.name} weighs updates by sample counts: a client's influence is then not bounded by the clip norm, and the counts themselves are not protected. Use uniform weights with differential privacy.`,
      { rule: rule.name },
    );
  }
  if (mode === "local") return;
  if (mode === "central" && replayable) {
    throw new ConfigError(
      "Central noise has to stay secret, and every validator and auditor repeats this run's aggregation from published data. Use local noise.",
    );
  }
  if (!LINEAR_RULES.has(rule.name)) {
    throw new ConfigError(
      `${rule.name} chooses by the data: one update can move its result by up to 2C, which ${mode} noise does not cover. Use the mean, or local noise before the rule.`,
      { rule: rule.name, mode },
    );
  }
  if (mode === "distributed" && singleUpdatesSeen) {
    throw new ConfigError(
      "Distributed noise protects sums, and here single updates are seen, each with only 1/√K of the noise. Use local noise, or a secure aggregation that opens nothing but the sum.",
    );
  }
}

/** ‖noise on the mean‖ expected over the longest mean there can be, C: above 1 the noise is longer than any signal (spec D6, reality check). */
export function noiseToSignal(deployment: Deployment, size: number): number {
  return (noiseOf(deployment).mean * Math.sqrt(size)) / deployment.clipNorm;
}
