// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { positiveInteger } from "./numbers.ts";

const byzFedParameters = z.union([
  z.strictObject({ filter: z.literal("tau"), tau: z.number().positive().max(1000), sizeWeighted: z.boolean() }),
  z.strictObject({ filter: z.literal("mad"), k: z.number().positive().max(1000), sizeWeighted: z.boolean() }),
]);

/** f, the Byzantine updates to reckon with. */
const byzantine = z.int().min(0).max(1_023);

/** What comes before the rule, in this order: K updates are replaced by means of them. */
const before = z
  .array(
    z.discriminatedUnion("step", [
      z.strictObject({ step: z.literal("nearest-neighbour-mixing"), byzantine }),
      z.strictObject({ step: z.literal("bucketing"), size: z.int().min(2).max(32) }),
    ]),
  )
  .min(1)
  .refine((steps) => new Set(steps.map(({ step }) => step)).size === steps.length, "each step at most once")
  .optional();

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
]);

export type AggregationConfig = z.infer<typeof aggregationSchema>;
export type PreAggregationConfig = NonNullable<AggregationConfig["before"]>[number];
