// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { positiveInteger } from "./numbers.ts";

const common = {
  /** C: the longest update (or gradient of one sample), model units. */
  clipNorm: z.number().min(1e-9).max(1e9),
  /** z: noise in units of what one client (or sample) can move. */
  noiseMultiplier: z.number().min(1e-3).max(1e6),
  /** What a member may spend on its data, over all runs. It trains no further. */
  budget: z.strictObject({ epsilon: z.number().positive().max(1_000), delta: z.number().min(1e-15).max(0.1) }),
};

/** The reported loss, which reads the data too: at most `clip` nats, noise z·clip. */
const loss = z.strictObject({
  clip: z.number().min(1e-3).max(1_000),
  noiseMultiplier: common.noiseMultiplier,
});

/** Whether each tensor is clipped to C/√L by itself. Left out: the whole update to C. */
const perTensor = z.boolean().optional();

/** How a round's cohort is drawn, as far as privacy is concerned. Left out: everybody, or nobody knows better. */
const sampling = z
  .strictObject({ kind: z.enum(["poisson", "fixed-size"]), rate: z.number().positive().max(1), published: z.boolean() })
  .optional();

/** What protects members' data (src/privacy): one entry per deployment of spec D6. Left out: none. */
export const privacySchema = z.discriminatedUnion("mode", [
  z.strictObject({ mode: z.literal("none") }),
  z.strictObject({
    mode: z.literal("local"),
    ...common,
    loss,
    perTensor,
    /** "paper" is DSAIN's order of steps, for comparison: it saves no bytes. */
    pipeline: z.discriminatedUnion("name", [
      z.strictObject({ name: z.literal("P2"), errorFeedback: z.boolean() }),
      z.strictObject({ name: z.literal("paper"), errorFeedback: z.boolean(), keep: positiveInteger }),
    ]),
  }),
  z.strictObject({
    mode: z.literal("central"),
    ...common,
    perTensor,
    sampling,
    errorFeedback: z.boolean(),
    /** Clip norm that follows a quantile of the updates' norms; left out: fixed. */
    adaptive: z
      .strictObject({
        quantile: z.number().positive().lt(1),
        rate: z.number().positive().max(10),
        /** σ_b, noise on the count of clients within the norm. */
        countNoise: z.number().positive().max(1e6),
      })
      .optional(),
  }),
  z.strictObject({
    mode: z.literal("distributed"),
    ...common,
    perTensor,
    sampling,
    errorFeedback: z.boolean(),
    /** Clients of a cohort that may tell their noise. */
    colluders: z.int().min(0).max(1_024),
  }),
  /** DP-SGD: gradients of single samples are clipped, and noise is added in every step. */
  z.strictObject({ mode: z.literal("record"), ...common, loss }),
]);

export type PrivacyConfig = z.infer<typeof privacySchema>;
