// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { positiveInteger } from "./numbers.ts";

const shapley = {
  /**
   * `exact`: every coalition, at most ten kept updates, so a run's capacity is at most ten; `gtg`: guided orders until they agree, at most
   * `permutations`; `in-run` and `in-run-second-order`: no coalitions at all, but one gradient or two, for any number of updates. Left out:
   * monte-carlo.
   */
  method: z.enum(["exact", "monte-carlo", "gtg", "in-run", "in-run-second-order"]).optional(),
  /**
   * What a coalition's updates would have moved the model by: `weights`, their sum with the round's own λ, renormalised; `rule`, what the run's rule
   * decides from them alone, so that one too small for the rule is worth 0 and v of all is what the round gained. Left out: weights.
   */
  coalitions: z.enum(["weights", "rule"]).optional(),
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

/** Methods that ask for no coalitions; the last is the laboratory's. */
const WITHOUT_COALITIONS: ReadonlySet<string> = new Set([
  "in-run",
  "in-run-second-order",
  "in-run-1",
  "in-run-2",
  "cosine",
]);

/** @throws ConfigError where coalitions would be valued by the rule, and the method asks for none. */
export function requireCoalitions({
  method,
  coalitions,
}: {
  method?: string | undefined;
  coalitions?: string | undefined;
}): void {
  if (coalitions !== "rule" || method === undefined || !WITHOUT_COALITIONS.has(method)) return;
  throw new ConfigError(
    `scoring.method ${method} follows from the round's weights and asks for no coalitions, so none can be valued by the rule; leave scoring.coalitions out, or take exact, monte-carlo or gtg.`,
    { method, coalitions },
  );
}
