// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { positiveInteger } from "./numbers.ts";

const byTau = { filter: z.literal("tau"), tau: z.number().positive().max(1000) };
const byMad = { filter: z.literal("mad"), k: z.number().positive().max(1000) };
const byzFedParameters = z.union([
  z.strictObject({ ...byTau, sizeWeighted: z.boolean() }),
  z.strictObject({ ...byMad, sizeWeighted: z.boolean() }),
]);

/** f, the Byzantine updates to reckon with. */
const byzantine = z.int().min(0).max(1_023);

/** What comes before the rule, in this order: K updates are replaced by means of them. */
const before = z
  .array(
    z.discriminatedUnion("step", [
      z.strictObject({ step: z.literal("nearest-neighbour-mixing"), byzantine }),
      z.strictObject({ step: z.literal("bucketing"), size: z.int().min(2).max(32) }),
      z.strictObject({ step: z.literal("without-copies") }),
    ]),
  )
  .min(1)
  .refine((steps) => new Set(steps.map(({ step }) => step)).size === steps.length, "each step at most once")
  .optional();

/** For rules that decide from facts about members: a mean of several has none. */
const nothingBefore = z.never().optional();

/** Weights by reported losses (src/aggregation/fedEba.ts). */
const byLoss = {
  /** τ, nats; 0: the worst member alone. */
  temperature: z.number().min(0).max(1000),
  prior: z.enum(["uniform", "samples"]),
  /** k: losses are clipped to median + k·MAD; left out: not at all, which lets a liar take all the weight. */
  capMads: z.number().positive().max(1000).optional(),
};

const attention = {
  temperature: z.number().min(1e-6).max(1000),
  scope: z.enum(["layer", "model", "both"]),
  /** ε; longer steps are a server optimiser's. */
  stepSize: z.number().positive().max(1),
};

const limit = z.int().min(0).max(1_000_000);
const staleness = z.union([
  z.strictObject({ decay: z.literal("polynomial"), exponent: z.number().min(0).max(10), limit }),
  z.strictObject({
    decay: z.literal("hinge"),
    after: z.int().min(0).max(1_000_000),
    slope: z.number().positive().max(1000),
    limit,
  }),
]);

/** The run's rule and what comes before it (src/aggregation/rules.ts). */
export const aggregationSchema = z.discriminatedUnion("rule", [
  z.strictObject({ rule: z.literal("weighted-mean"), before }),
  z.strictObject({ rule: z.literal("coordinate-median"), before }),
  z.strictObject({
    rule: z.literal("trimmed-mean"),
    parameters: z.strictObject({ trim: z.int().min(0).max(1_023) }),
    before,
  }),
  z.strictObject({ rule: z.literal("geometric-median"), before }),
  z.strictObject({ rule: z.literal("krum"), parameters: z.strictObject({ byzantine }), before }),
  z.strictObject({
    rule: z.literal("multi-krum"),
    /** How many are averaged; K−f when left out. */
    parameters: z.strictObject({ byzantine, selected: positiveInteger.max(2_048).optional() }),
    before,
  }),
  z.strictObject({ rule: z.literal("bulyan"), parameters: z.strictObject({ byzantine }), before }),
  z.strictObject({ rule: z.literal("byzfed"), parameters: byzFedParameters, before }),
  z.strictObject({
    rule: z.literal("centred-clipping"),
    parameters: z.strictObject({
      /** Longest pull of one update, in units of parameters. */
      radius: z.number().min(1e-9).max(1e9),
      iterations: positiveInteger.max(100),
    }),
    before,
  }),
  z.strictObject({ rule: z.literal("uniform-mean"), before }),
  z.strictObject({
    rule: z.literal("mean-of-senders"),
    parameters: z.strictObject({ prior: byLoss.prior }),
    before: nothingBefore,
  }),
  z.strictObject({ rule: z.literal("fltrust"), before: nothingBefore }),
  z.strictObject({
    rule: z.literal("fedatt"),
    parameters: z.union([
      z.strictObject({ attention: z.literal("cosine"), ...attention }),
      /** Most weight to the longest update: refused for runs on chain, since one attacker takes the model over. */
      z.strictObject({ attention: z.literal("distance"), relative: z.boolean(), ...attention }),
    ]),
    before: nothingBefore,
  }),
  z.strictObject({ rule: z.literal("fedeba"), parameters: z.strictObject(byLoss), before: nothingBefore }),
  z.strictObject({
    rule: z.literal("fair-gradient"),
    parameters: z.strictObject({
      /** λ_f, per nat. */
      strength: z.number().min(0).max(1000),
      prior: byLoss.prior,
      capMads: byLoss.capMads,
    }),
    before: nothingBefore,
  }),
  z.strictObject({
    rule: z.literal("q-fedavg"),
    parameters: z.strictObject({
      q: z.number().min(0).max(10),
      /** η of the members' training. */
      learningRate: z.number().min(1e-9).max(1000),
      capMads: byLoss.capMads,
    }),
    before: nothingBefore,
  }),
  z.strictObject({
    rule: z.literal("fairfed"),
    parameters: z.strictObject({ beta: z.number().min(0).max(1000), metric: z.enum(["loss", "accuracy"]) }),
    before: nothingBefore,
  }),
  z.strictObject({
    rule: z.literal("spfl"),
    parameters: z.strictObject({
      audit: z.union([z.strictObject(byTau), z.strictObject(byMad)]).optional(),
      weighting: z.enum(["softmax", "ratio"]),
      /** τ, nats; left out: the spread of the contributions. */
      temperature: z.number().min(1e-9).max(1000).optional(),
      /** Blends with FedEBA's weights; κ is their part. */
      fair: z.strictObject({ kappa: z.number().min(0).max(1), ...byLoss }).optional(),
    }),
    before: nothingBefore,
  }),
  z.strictObject({
    rule: z.literal("fedbuff"),
    parameters: z.strictObject({ staleness, stepSize: z.number().positive().max(1), prior: byLoss.prior }),
    before: nothingBefore,
  }),
  z.strictObject({
    rule: z.literal("fedasync"),
    parameters: z.strictObject({ staleness, mixing: z.number().positive().max(1) }),
    before: nothingBefore,
  }),
]);

export type AggregationConfig = z.infer<typeof aggregationSchema>;
export type PreAggregationConfig = NonNullable<AggregationConfig["before"]>[number];
