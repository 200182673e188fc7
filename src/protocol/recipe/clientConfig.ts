// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";

/** Strength of a term beside the loss. */
const strength = z.number().min(0).max(1e6);
const share = z.number().positive().max(1);
/** Length of the step of a difference quotient in parameter space, along a direction of length 1. */
const difference = z.number().min(1e-6).max(1).default(1e-2);
const tensorNames = z.array(z.string().min(1).max(200)).max(65_536);

/** How members of different speed take part in HMSDFL (spec B10.2): a member's resource against three thresholds. */
const tiers = z
  .strictObject({
    high: z.number().positive().max(1e6).default(4),
    low: z.number().positive().max(1e6).default(2),
    min: z.number().positive().max(1e6).default(1),
    /** What a member between `min` and `low` does. */
    lowMethod: z.enum(["hmsdfl", "msdfl"]).default("hmsdfl"),
  })
  .refine(({ high, low, min }) => high > low && low > min, "thresholds fall: high > low > min");

/**
 * How members train (src/learning/algorithms): one entry per client algorithm. Left out: FedAvg. Defaults are those of the specification's
 * table M; a published recipe has them written out.
 */
export const clientSchema = z.discriminatedUnion("name", [
  /** Local steps of the plan's optimiser (McMahan et al. 2017). */
  z.strictObject({ name: z.literal("fedavg") }),
  /** One gradient over a share of the shard, then one step. */
  z.strictObject({ name: z.literal("fedsgd"), fraction: share.default(1) }),
  z.strictObject({
    name: z.literal("local-sgd"),
    /** Where momentum starts each round: at 0 (FedAvg), where the member's last round left it, or at the mean of all, which travels beside the model. */
    momentumState: z.enum(["reset", "carried", "averaged"]).default("reset"),
  }),
  z.strictObject({
    name: z.literal("fedprox"),
    /** μ/2·‖w − w^t‖² beside the loss. */
    mu: strength.default(0.01),
    /** A member whose resource is below 1 does that share of its steps, at least one, and sends what it has. */
    partialWork: z.boolean().default(false),
  }),
  z.strictObject({
    name: z.literal("scaffold"),
    /** II: the control variate from the way walked; I: the shard's gradient at the received model. */
    option: z.enum(["I", "II"]).default("II"),
  }),
  z.strictObject({
    name: z.literal("moon"),
    mu: strength.default(1),
    temperature: z.number().min(1e-3).max(1e3).default(0.5),
    /** Contrast the output of the model's projection head (`projection` of every kind but logistic) instead of the penultimate features. */
    projection: z.boolean().default(false),
  }),
  z.strictObject({
    name: z.literal("spfl"),
    /** λ_perm: pull to the received model's orbit under permutations of neurons. */
    permutationWeight: strength.default(0.01),
    /** When neurons are matched anew with those of the received model; never is FedProx. */
    matchEvery: z.enum(["epoch", "never"]).default("epoch"),
    /** λ_rot: consistency of the head under small rotations of the features. */
    rotationWeight: strength.default(0.1),
    /** ε_r, radians. */
    maxAngle: z.number().min(0).max(1).default(0.1),
    /** m_rot, disjoint pairs of features rotated per batch; ⌈p/4⌉ if left out. */
    rotations: z.int().min(1).max(65_536).optional(),
    /** Weight of the literal regulariser E‖θ − gθ‖², which makes exchangeable neurons equal. */
    literalWeight: strength.default(0),
    /** Send the local model in the order of neurons that lies closest to the received one. */
    align: z.boolean().default(true),
  }),
  z.strictObject({
    name: z.literal("msdfl"),
    form: z.enum(["exact", "rademacher", "ref"]).default("rademacher"),
    weight: strength.default(1e-4),
    epsilon: difference,
  }),
  z.strictObject({
    name: z.literal("hmsdfl"),
    weight: strength.default(1e-3),
    /** m_proj: random projections per batch, whose mean is taken. */
    projections: z.int().min(1).max(1024).default(1),
    epsilon: difference,
    tiers: tiers.optional(),
    /** Weight of MSDFL, for members whose tier asks for it. */
    msdflWeight: strength.default(1e-4),
  }),
  z
    .strictObject({
      name: z.literal("fedeba"),
      /** Gradient alignment: steps h = (1−α)∇F + α·g̃, the mean gradient g̃ travelling beside the model; 0 is none. */
      gradientAlpha: z.number().min(0).lt(1).default(0.5),
      /** What members send and how they lean to its mean: gradients along the way, by the difference to their own; or those at the received model, as they are. */
      fairGradient: z.enum(["walked", "received"]).default("walked"),
      /** Model alignment: share of the first step's way in the update; 0 is none, 0.1 usual. */
      modelAlpha: z.number().min(0).lt(1).default(0),
      /**
       * Degrees between the members' losses and equal ones, above which a round aligns gradients and below which models; the paper's way, 15 usual.
       * Left out: both as configured, in every round.
       */
      switchAngle: z.number().min(0).max(90).optional(),
    })
    .refine(
      ({ switchAngle, gradientAlpha, modelAlpha }) =>
        switchAngle === undefined || (gradientAlpha > 0 && modelAlpha > 0),
      "switchAngle chooses between two alignments: give gradientAlpha and modelAlpha above 0, or leave it out",
    ),
  z.strictObject({
    name: z.literal("fedmeta"),
    /** a, of the steps of adaptation. */
    innerRate: z.number().positive().max(100).default(0.01),
    /** Share of a batch that the model adapts on; the rest judges. */
    supportShare: z.number().min(0.01).max(0.99).default(0.2),
    /** first: FOMAML; hessian: with the second-order factor, by differences of gradients. */
    order: z.enum(["first", "hessian"]).default("first"),
    epsilon: difference,
    /** Meta-SGD: a rate per parameter is learned and travels beside the model. */
    learnRates: z.boolean().default(false),
    /** k: steps of adaptation when a member evaluates its own model. */
    adaptationSteps: z.int().min(1).max(100).default(1),
  }),
  z.strictObject({
    name: z.literal("partial"),
    /** Tensors that stay with the member. */
    local: tensorNames.default([]),
    /** Shared coordinates sent per round, most important tensors first; all if left out. */
    budget: z.int().min(1).max(2_147_483_648).optional(),
  }),
  z.strictObject({
    name: z.literal("lora"),
    mode: z.enum(["naive", "freezeA", "stack", "svd"]).default("stack"),
    rank: z.int().min(1).max(1024).default(4),
    /** a: factors act as (a/r)·B·A. */
    alpha: z.number().positive().max(1e4).default(8),
    /** Weights that are adapted; every weight matrix if left out. Nothing else is trained. */
    tensors: tensorNames.min(1).optional(),
  }),
  /** Only the bottlenecks of a model with `adapters` are trained and sent. */
  z.strictObject({
    name: z.literal("adapters"),
    /** Also the last layer. */
    head: z.boolean().default(false),
  }),
  /** Steps through a transformer of which inner blocks are left out at random. */
  z.strictObject({
    name: z.literal("droppeft"),
    /** Probabilities of leaving a block out, among which each member chooses by its accuracy gained per cost. One rate: no choice. */
    rates: z.array(z.number().min(0).max(0.95)).min(1).max(16).default([0, 0.25, 0.5]),
    /** ε: share of rounds with a rate at random. */
    exploration: z.number().min(0).max(1).default(0.1),
    /** Rounds after which a rate's mean gain forgets: gains fall as a model learns. */
    memory: z.int().min(1).max(1000).default(5),
    /** Most samples of a member's own that accuracy is taken on, before and after a round's steps. */
    judged: z.int().min(1).max(1_000_000).default(256),
    /** What is trained: the model, or its adapters alone. */
    trains: z.enum(["model", "adapters"]).default("model"),
  }),
  z.strictObject({
    name: z.literal("fedpa"),
    /** ℓ: iterate averages taken as samples of the posterior. */
    samples: z.int().min(1).max(256).default(5),
    /** ρ of the shrinkage; small values amplify noise. */
    shrinkage: z.number().min(0.01).max(1).default(0.4),
    /** Share of the round's steps before the first sample. */
    burnIn: z.number().min(0).lt(1).default(0.5),
    /** Rounds of plain FedAvg at first. */
    burnInRounds: z.int().min(0).max(1_000_000).default(0),
  }),
  z.strictObject({
    name: z.literal("functional"),
    /** m: samples of the shared unlabelled set, whose class probabilities travel in place of weights. */
    samples: z.int().min(1).max(1_000_000),
    /** γ: weight of KL(shared probabilities ‖ own) beside the loss. */
    gamma: strength.default(0.7),
    /** S: passes with dropout whose mean a member's probabilities are; one where the model drops nothing. */
    passes: z.int().min(1).max(1000).default(10),
    /** Probabilities below it are lifted to it. */
    floor: z.number().min(1e-12).max(1e-2).default(1e-8),
  }),
  /** The gradient at the worst point near by, to first order. */
  z.discriminatedUnion("space", [
    z.strictObject({
      name: z.literal("sam"),
      /** Among parameters within ρ (Foret et al. 2021). */
      space: z.literal("parameters").default("parameters"),
      rho: z.number().positive().max(100).default(0.05),
    }),
    z.strictObject({
      name: z.literal("sam"),
      /** Among inputs, each value of which moves by ε (fast gradient sign method; Goodfellow et al. 2015). */
      space: z.literal("inputs"),
      /** In the units of the inputs. */
      epsilon: z.number().positive().max(1e6).default(0.05),
    }),
  ]),
]);

export type ClientConfig = z.infer<typeof clientSchema>;
/** One algorithm's configuration, by its name. */
export type ClientConfigOf<Name extends ClientConfig["name"]> = Extract<ClientConfig, { readonly name: Name }>;
