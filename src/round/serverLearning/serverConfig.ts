// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";

/**
 * Server-side learning by name: one row per strategy, with the defaults of spec §M. What a row needs beside it (a model, a root set, …) is handed in
 * by whoever runs it (`strategies.ts`).
 */

const count = (most: number) => z.int().min(1).max(most);
const rate = (value: number) => z.number().min(1e-9).max(10).default(value);

/** Steps of distillation on unlabelled data. */
const distillation = {
  /** J. */
  steps: count(10_000).default(300),
  batchSize: count(65_536).default(128),
  learningRate: rate(1e-3),
  /** `median` where teachers may lie. */
  combine: z.enum(["mean", "median"]).default("mean"),
  /** Share of teachers that is dropped for the lowest validation accuracy. */
  dropShare: z.number().min(0).max(0.9).default(0),
  evaluateEvery: count(10_000).default(100),
  patience: count(100_000).default(1_000),
};

const errorThreshold = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("mad"), k: z.number().min(0).max(100).default(3) }),
  z.strictObject({ kind: z.literal("fixed"), limit: z.number().min(0).max(1).default(0.6) }),
]);

/** How training is modelled when an update is to be reconstructed. */
const reconstruction = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("probes"),
    probes: count(4_096).default(32),
    /** Times the mean squared length of a probe gradient. */
    ridge: z.number().min(1e-9).max(1).default(1e-3),
    threshold: errorThreshold.prefault({ kind: "mad" }),
  }),
  z.strictObject({
    kind: z.literal("distilled"),
    /** Synthetic samples per class. */
    perClass: count(64).default(1),
    iterations: z.int().min(0).max(1_500).default(100),
    stopBelow: z.number().min(0).max(1).default(0.6),
    featureRate: z.number().min(0).max(10).default(0.1),
    labelRate: z.number().min(0).max(10).default(0.05),
    epsilon: z.number().min(1e-6).max(1).default(1e-2),
    /** Reconstruction ends once it is below `stopBelow`, so that errors bunch there: a threshold by their spread would flag honest members. */
    threshold: errorThreshold.prefault({ kind: "fixed" }),
  }),
]);

/** Strategies that take a round's updates and give the model's movement (`strategy.ts`). */
const strategies = [
  z.strictObject({
    name: z.literal("fltrust-root"),
    /** Samples of the root set. */
    samples: count(1_000_000).default(100),
  }),
  z.strictObject({
    name: z.literal("fedredefense"),
    core: reconstruction.prefault({ kind: "probes" }),
  }),
  z.strictObject({ name: z.literal("feddf"), ...distillation }),
  z.strictObject({ name: z.literal("functional"), weighting: z.enum(["samples", "entropy"]).default("samples") }),
  z.strictObject({
    name: z.literal("fedmcon"),
    steps: z.int().min(0).max(1_000).default(10),
    learningRate: rate(1e-2),
    batchSize: count(65_536).default(64),
    /** μ of the pull towards equal weights. */
    uniformPull: z.number().min(0).max(1e6).default(0.1),
  }),
  z.strictObject({
    name: z.literal("pfedgpa"),
    /** The last layer when left out. */
    tensors: z.array(z.string().min(1).max(200)).min(1).max(1_000).optional(),
    windowRounds: count(1_000).default(20),
    minVectors: z.int().min(2).max(100_000).default(50),
    components: count(256).default(32),
    kappa: z.number().min(0).max(1).default(0.3),
    mode: z.enum(["diffusion", "pca"]).default("diffusion"),
    training: z
      .strictObject({
        steps: count(100_000).default(400),
        batchSize: count(4_096).default(32),
        learningRate: rate(1e-3),
        hidden: count(1_024).default(128),
      })
      .prefault({}),
  }),
] as const;

/** FLCert (Cao et al. 2022) keeps one model per group of members and never averages them: they vote (`flCert/`). */
const ensembles = [
  z.strictObject({
    name: z.literal("flcert-d"),
    /** N_g. */
    groups: count(10_000).default(5),
    assignment: z.enum(["hash", "balanced"]).default("hash"),
  }),
  z.strictObject({
    name: z.literal("flcert-p"),
    groups: count(10_000).default(500),
    /** k. */
    groupSize: count(2_048).default(10),
    /** Probability that a certificate is wrong. */
    alpha: z.number().min(1e-12).max(0.5).default(1e-3),
    /** Confidence bounds that hold together; left out: 2, as the specification has it. The number of classes is the safe choice. */
    bounds: z.int().min(2).max(65_536).optional(),
  }),
] as const;

export const serverStrategySchema = z.discriminatedUnion("name", strategies);
export const ensembleSchema = z.discriminatedUnion("name", ensembles);
export const serverSchema = z.discriminatedUnion("name", [...strategies, ...ensembles]);

export type ServerStrategyConfig = z.infer<typeof serverStrategySchema>;
export type EnsembleConfig = z.infer<typeof ensembleSchema>;
export type ServerConfig = z.infer<typeof serverSchema>;

/** Whether a config names an ensemble, which a laboratory runs group by group, or a strategy. */
export function isEnsemble(config: ServerConfig): config is EnsembleConfig {
  return config.name === "flcert-d" || config.name === "flcert-p";
}

/** ψ(a), see src/aggregation/staleness.ts; what is too old is discarded before it is weighed. */
const staleness = z
  .discriminatedUnion("decay", [
    z.strictObject({ decay: z.literal("polynomial"), exponent: z.number().min(0).max(10).default(0.5) }),
    z.strictObject({
      decay: z.literal("hinge"),
      after: z.int().min(0).max(1_000_000).default(4),
      slope: z.number().min(1e-9).max(1_000).default(10),
    }),
  ])
  .prefault({ decay: "polynomial" });

const everyPolicy = {
  /** Members that work at a time; all when left out. */
  concurrency: count(2_048).optional(),
  maxStaleness: z.int().min(0).max(1_000_000).default(20),
  /** Virtual seconds of a task in each speed class, and how much single tasks differ from it. */
  speeds: z.array(z.number().min(1e-6).max(1e6)).min(1).max(100).default([1, 2, 4]),
  jitter: z.number().min(0).lt(1).default(0.1),
};
const stepSize = z.number().min(1e-6).max(1_000).default(1);

/** How updates come together without a round's barrier, and the barrier to compare with (`asynchrony/`). */
export const asyncSchema = z.discriminatedUnion("name", [
  z.strictObject({ name: z.literal("sync"), ...everyPolicy }),
  z.strictObject({
    name: z.literal("fedasync"),
    ...everyPolicy,
    mixing: z.number().min(1e-6).max(1).default(0.6),
    staleness,
  }),
  z.strictObject({ name: z.literal("fedbuff"), ...everyPolicy, buffer: count(2_048).default(10), stepSize, staleness }),
  z.strictObject({
    name: z.literal("fedqs"),
    ...everyPolicy,
    buffer: count(2_048).default(10),
    stepSize,
    /** lr₀, the members' own. */
    learningRate: z.number().min(1e-6).max(100),
    /** κ at lr₀ = 0.01. */
    rateChange: z.number().min(0).max(1).default(0.002),
  }),
]);

export type AsyncConfig = z.infer<typeof asyncSchema>;

/** Which server aggregates the next round (`fedAdaSs.ts`). */
export const serverSelectionSchema = z.strictObject({
  name: z.literal("fedadass"),
  explore: z
    .discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("epsilon-greedy"), epsilon: z.number().min(0).max(1).default(0.1) }),
      z.strictObject({ kind: z.literal("ucb") }),
    ])
    .prefault({ kind: "epsilon-greedy" }),
  priceWeight: z.number().min(0).max(1e6).default(0.1),
  punctualityWeight: z.number().min(0).max(1e6).default(0.1),
  deadline: z.number().min(1e-6).max(1e9),
  reshuffleWithin: z.number().min(0).max(1).default(0.05),
});

export type ServerSelectionConfig = z.infer<typeof serverSelectionSchema>;

const seconds = z.number().min(0).max(1e9);

/** A server that could aggregate a round. */
const candidate = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/),
  /** Of the paths between it and members, on the mean: bytes per second, and seconds. */
  bandwidth: z.number().min(1).max(1e12),
  roundTripSeconds: seconds.default(0.05),
  /** Per round, any unit. */
  price: z.number().min(0).max(1e9).default(1),
  aggregationSeconds: seconds.default(0),
  /** Virtual seconds at which it fails and is back. */
  outages: z
    .array(
      z
        .strictObject({ from: seconds, to: seconds })
        .refine(({ from, to }) => from < to, "an outage ends after it begins"),
    )
    .max(1_000)
    .default([]),
});

/** Who aggregates rounds on a virtual clock (`serverClock.ts`): candidates, how one of them is chosen, and how fast members are. */
export const serversSchema = z
  .strictObject({
    candidates: z
      .array(candidate)
      .min(1)
      .max(100)
      .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, "each name once"),
    /** `fixed`: always the same, which is waited for while it is down. */
    choose: z.discriminatedUnion("name", [
      z.strictObject({ name: z.literal("fixed"), server: z.string() }),
      serverSelectionSchema,
    ]),
    /** Until members know that the server they talk to has failed. */
    noticeSeconds: seconds.default(5),
    /** How much members' paths to a server differ, and each from round to round: uniformly, give or take that share of the mean. */
    pathSpread: z.number().min(0).lt(1).default(0.5),
    pathJitter: z.number().min(0).lt(1).default(0.1),
    speeds: everyPolicy.speeds,
    jitter: everyPolicy.jitter,
  })
  .refine(
    ({ candidates, choose }) => choose.name !== "fixed" || candidates.some(({ name }) => name === choose.server),
    "the fixed server is one of the candidates",
  );

export type ServersConfig = z.infer<typeof serversSchema>;
