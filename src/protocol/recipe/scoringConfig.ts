// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { positiveInteger } from "./numbers.ts";

const shapley = {
  /**
   * `exact`: every coalition, at most ten kept updates, so a run's capacity is at most ten; `gtg`: guided orders until they agree, at most
   * `permutations`; `in-run` and `in-run-second-order`: no coalitions at all, but one gradient or two, for any number of updates. Left out:
   * monte-carlo.
   */
  method: z.enum(["exact", "monte-carlo", "gtg", "in-run", "in-run-second-order"]).optional(),
  /** Monte-Carlo permutations; antithetic pairs, so even. */
  permutations: z.int().min(2).max(100_000).multipleOf(2),
  /** A scan stops when |v(kept) − v(prefix)| is below this; units 2^-20 nats; 0 never stops. */
  truncation: z.int().min(0),
  engine: z.strictObject({
    package: z.literal("onnxruntime-web"),
    version: z.string(),
    batchSize: positiveInteger.max(65_536),
  }),
};

/** What updates are scored on: public data, so that scores are part of the result; or each validator's own, of which it only attests scores. */
export const scoringSchema = z.discriminatedUnion("mode", [
  z.strictObject({
    mode: z.literal("exact"),
    /** Public held-out set in the store. */
    heldOutCid: z.string().regex(/^0x[0-9a-f]{64}$/),
    heldOutDigest: z.string().regex(/^0x[0-9a-f]{64}$/),
    ...shapley,
  }),
  z.strictObject({ mode: z.literal("attested"), ...shapley }),
]);

export type ScoringConfig = z.infer<typeof scoringSchema>;
