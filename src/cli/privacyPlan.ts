// SPDX-License-Identifier: Apache-2.0
import { type EffectiveSampling, effectiveSampling } from "../privacy/deployment.ts";
import type { NeighbourRelation } from "../privacy/neighbours.ts";
import { type Epsilon, epsilonOf, leastEpsilon, noiseMultiplierFor } from "../privacy/rdp.ts";
import { ConfigError } from "../protocol/errors.ts";
import { type PrivacyConfig, privacySchema } from "../protocol/recipe/privacyConfig.ts";
import { lossesCurve, wholeCurve } from "./privacyCurves.ts";
import { type Mechanism, type Sigmas, sigmasOf } from "./privacyMechanism.ts";
import { worstCase } from "./privacyWorstCase.ts";

/** Digits of a noise multiplier in a recipe. */
const DIGITS = 7;
/** What a recipe takes. */
const [LEAST_MULTIPLIER, LARGEST_MULTIPLIER] = [1e-3, 1e6];

/** B, nats, where it is not said. */
const LOSS_CLIP = 4;
/** The loss's share of ε, where it is not said and ε is large beside the least there is. */
const LOSS_SHARE = 0.1;

/** The reported loss, which real runs release beside the update in `local` and `record` mode. */
export interface LossPlan {
  /** B, nats; left out: 4. */
  readonly clip?: number;
  /**
   * Its ε alone, as a share of the whole. The update gets what is left: both together are composed, not added. Left out: a tenth, or more
   * where a tenth is near the least ε that noise can reach, or below.
   */
  readonly share?: number;
}

/** The noise for one way of drawing cohorts. */
export interface NoiseRow extends Epsilon<NeighbourRelation> {
  readonly noiseMultiplier: number;
  readonly sampling: EffectiveSampling;
  readonly sigma: Sigmas;
}

export interface NoisePlan extends NoiseRow {
  /** What the noise is for: of members with the samples that were said or more, the one that spends most. */
  readonly mechanism: Mechanism;
  /** As it was said, where that is another. */
  readonly least?: Mechanism;
  /** ε asked for. */
  readonly budget: number;
  /** The same ε when everybody knows who takes part: q counts as 1 (FIX 1-9). Absent where it does already, or where sampling has no part in it. */
  readonly ifPublished?: NoiseRow;
  /** In runs that report losses: noise on them, and what would do for the updates alone, as the laboratory counts them. */
  readonly loss?: { readonly clip: number; readonly noiseMultiplier: number };
  /** Their ε alone as a share of the whole, as it was said or chosen. */
  readonly lossShare?: number;
  readonly updatesAlone?: number;
  /** `privacy` of a recipe. */
  readonly recipe: Exclude<PrivacyConfig, { mode: "none" }>;
}

/**
 * The least noise with which a mechanism stays within ε at δ over all its rounds, rounded up to seven digits so that a ledger agrees.
 *
 * @throws ConfigError where no recipe can say it.
 */
export function planNoise(asked: Mechanism, epsilon: number, loss: LossPlan = {}): NoisePlan {
  if (!(epsilon > 0 && epsilon <= 1_000))
    throw new ConfigError(`ε is ${epsilon}; a budget is above 0 and at most 1000.`, { epsilon });
  const { mode, delta } = asked;
  const reports = mode === "local" || mode === "record";
  if (!reports && (loss.clip !== undefined || loss.share !== undefined))
    throw new ConfigError(
      `Runs with ${mode} noise do not report losses of single members; leave --loss-clip and --loss-share out.`,
      { ...loss },
    );
  // First, for an ε that no noise reaches is not for want of a share.
  const alone = reports ? noiseRow(asked, epsilon).noiseMultiplier : undefined;
  const share = reports ? lossShare(epsilon, delta, loss.share) : undefined;
  const noisyLoss =
    share === undefined
      ? undefined
      : { clip: loss.clip ?? LOSS_CLIP, noiseMultiplier: lossMultiplier(asked, epsilon, share) };
  const { mechanism, row } = worstRow(asked, epsilon, noisyLoss?.noiseMultiplier);
  const published = { ...mechanism, sampling: { ...mechanism.sampling, published: true } };
  const hidden = !reports && effectiveSampling(mechanism.sampling).rate < 1;
  return {
    mechanism,
    ...(mechanism === asked ? {} : { least: asked }),
    budget: epsilon,
    ...row,
    ...(hidden ? { ifPublished: noiseRow(published, epsilon) } : {}),
    ...(noisyLoss === undefined || share === undefined
      ? {}
      : {
          loss: noisyLoss,
          lossShare: share,
          updatesAlone: mechanism === asked ? (alone as number) : noiseRow(mechanism, epsilon).noiseMultiplier,
        }),
    recipe: recipeOf(mechanism, row.noiseMultiplier, { epsilon, delta }, noisyLoss),
  };
}

/** The noise that also suffices for members with more samples, and the one that needs most of it. */
function worstRow(asked: Mechanism, epsilon: number, lossNoise?: number): { mechanism: Mechanism; row: NoiseRow } {
  let mechanism = asked;
  for (;;) {
    const row = noiseRow(mechanism, epsilon, lossNoise);
    const worst = worstCase(asked, row.noiseMultiplier, lossNoise);
    if (epsilonOf(wholeCurve(worst, row.noiseMultiplier, lossNoise), asked.delta).epsilon <= epsilon)
      return { mechanism, row };
    mechanism = worst;
  }
}

function noiseRow(mechanism: Mechanism, epsilon: number, lossNoise?: number): NoiseRow {
  const whole = (z: number) => wholeCurve(mechanism, z, lossNoise);
  const noiseMultiplier = roundedUp(noiseMultiplierFor(whole, { epsilon, delta: mechanism.delta, rounds: 1 }));
  return {
    noiseMultiplier,
    ...epsilonOf(whole(noiseMultiplier), mechanism.delta),
    sampling: samplingOf(mechanism),
    sigma: sigmasOf(mechanism, noiseMultiplier),
  };
}

/**
 * Share s of ε for the losses. No noise brings the sε of the losses to the floor of δ or below. Where s is not said, they get a tenth of ε as
 * long as that is twice the floor; else twice the floor, and no more than the floor and a tenth of what ε has above it.
 */
function lossShare(epsilon: number, delta: number, stated: number | undefined): number {
  const floor = leastEpsilon(delta);
  const enough = Math.max(LOSS_SHARE * epsilon, Math.min(2 * floor, floor + LOSS_SHARE * (epsilon - floor)));
  const chosen = roundedUp(enough / epsilon);
  const share = stated ?? chosen;
  if (!(share > 0 && share < 1 && share * epsilon > floor))
    throw new ConfigError(
      `The loss's share of ε is ${share}, its ε ${(share * epsilon).toPrecision(4)} of ${epsilon}. A share lies between 0 and 1, and at δ = ${delta} no noise keeps an ε of ${floor.toPrecision(4)} or less. ${
        stated === undefined || chosen >= 1
          ? "Ask for a larger ε or δ."
          : `Leave --loss-share out, which takes ${chosen}, or ask for a larger ε or δ.`
      }`,
      { share, epsilon, delta, floor },
    );
  return share;
}

function lossMultiplier(mechanism: Mechanism, epsilon: number, share: number): number {
  const target = { epsilon: share * epsilon, delta: mechanism.delta, rounds: 1 };
  return roundedUp(noiseMultiplierFor((z) => lossesCurve(mechanism, z), target));
}

/**
 * ε of noise that is given, under the mechanism's relation.
 *
 * @param lossNoise z of the reported loss; left out: ε of the updates alone.
 * @throws ConfigError for a multiplier that no recipe takes, or a loss where none is reported.
 */
export function epsilonWith(mechanism: Mechanism, z: number, lossNoise?: number): Epsilon<NeighbourRelation> {
  for (const value of [z, lossNoise ?? z])
    if (!(value >= LEAST_MULTIPLIER && value <= LARGEST_MULTIPLIER))
      throw new ConfigError(
        `A noise multiplier of ${value} is in no recipe; it lies between ${LEAST_MULTIPLIER} and ${LARGEST_MULTIPLIER}.`,
      );
  if (lossNoise !== undefined && mechanism.unit === "client" && mechanism.mode !== "local")
    throw new ConfigError(
      `Runs with ${mechanism.mode} noise do not report losses of single members; leave --loss-multiplier out.`,
    );
  return epsilonOf(wholeCurve(mechanism, z, lossNoise), mechanism.delta);
}

/** One line of the comparison of relations: never to be added to, or compared with, one of the other relation. */
export interface RelationRow {
  readonly relation: NeighbourRelation;
  /** What draws the cohorts or batches, and q as it counts. */
  readonly sampling: string;
  readonly rate: number;
  /** σ/S: σ/C for add-remove, σ/(2C) for replace-one. This and what follows are null where the relation says nothing about the mechanism; then `note` says why. */
  readonly noiseMultiplier: number | null;
  readonly epsilon: number | null;
  readonly order: number | null;
  readonly note: string;
}

/** The same σ under both relations, with secret and with published cohorts (spec D5). */
export function relationRows(mechanism: Mechanism, z: number, lossNoise?: number): readonly RelationRow[] {
  const { mode, sampling } = mechanism;
  if (mode === "local" || mode === "record") {
    const { epsilon, order } = epsilonWith(mechanism, z, lossNoise);
    const none = { rate: sampling.rate, noiseMultiplier: null, epsilon: null, order: null };
    const own = { rate: sampling.rate, noiseMultiplier: z, epsilon, order, note: "" };
    return mode === "local"
      ? [
          { relation: "replace-one", sampling: "none", ...own },
          { relation: "add-remove", sampling: "none", ...none, note: "who takes part shows in a local release" },
        ]
      : [
          { relation: "add-remove", sampling: "Poisson batches, secret", ...own },
          { relation: "replace-one", sampling: "fixed-size batches", ...none, note: "no member draws such batches" },
        ];
  }
  const secrecies = sampling.rate === 1 ? [true] : sampling.published ? [true, false] : [false, true];
  return secrecies.flatMap((published) =>
    (["add-remove", "replace-one"] as const).map((relation) => {
      const kind = relation === "add-remove" ? ("poisson" as const) : ("fixed-size" as const);
      const variant: Mechanism = { ...mechanism, relation, sampling: { kind, rate: sampling.rate, published } };
      const { epsilon, order } = epsilonWith(variant, z);
      const drawn = kind === "poisson" ? "Poisson cohorts" : "cohorts of fixed size";
      return {
        relation,
        sampling: sampling.rate === 1 ? "everybody" : `${drawn}, ${published ? "published" : "secret"}`,
        rate: published ? 1 : sampling.rate,
        noiseMultiplier: relation === "add-remove" ? z : z / 2,
        epsilon,
        order,
        note: "",
      };
    }),
  );
}

function samplingOf({ mode, sampling }: Mechanism): EffectiveSampling {
  if (mode === "local") return { rate: 1, reason: "a local release is of one member's vector" };
  if (mode === "record")
    return { rate: sampling.rate, reason: `a member draws its batches secretly with q = B/n = ${sampling.rate}` };
  return effectiveSampling(sampling);
}

function recipeOf(
  { mode, clipNorm, sampling, colluders }: Mechanism,
  noiseMultiplier: number,
  budget: { readonly epsilon: number; readonly delta: number },
  loss: NoisePlan["loss"],
): NoisePlan["recipe"] {
  const common = { mode, clipNorm, noiseMultiplier, budget };
  const drawn = sampling.kind === "everybody" ? {} : { sampling };
  const entry = {
    central: { ...common, ...drawn, errorFeedback: false },
    distributed: { ...common, ...drawn, errorFeedback: false, colluders },
    local: { ...common, loss, pipeline: { name: "P2", errorFeedback: false } },
    record: { ...common, loss },
  }[mode];
  const parsed = privacySchema.safeParse(entry);
  if (!parsed.success || parsed.data.mode === "none")
    throw new ConfigError(
      `No recipe can say this: ${parsed.error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ")}. Ask for another ε, δ or clip norm.`,
      { entry },
    );
  return parsed.data;
}

/** To seven digits and never down, so that the recipe's number keeps the promise. */
function roundedUp(value: number): number {
  if (value <= LEAST_MULTIPLIER) return LEAST_MULTIPLIER;
  const near = Number(value.toPrecision(DIGITS));
  if (near >= value) return near;
  const unit = 10 ** (Math.floor(Math.log10(value)) + 1 - DIGITS);
  return Number((near + unit).toPrecision(DIGITS));
}
