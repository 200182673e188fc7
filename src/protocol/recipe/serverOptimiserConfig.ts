// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";

const beta = z.number().min(0).lt(1);
const adaptive = {
  /** η_g. */
  learningRate: z.number().positive().max(1000),
  beta1: beta,
  tau: z.number().min(1e-12).max(1000),
};

/** What stands between the rule's movement and the model's (src/aggregation/serverOptimiser.ts). */
export const serverOptimiserSchema = z.discriminatedUnion("name", [
  z.strictObject({ name: z.literal("none") }),
  z.strictObject({ name: z.literal("fedavgm"), learningRate: adaptive.learningRate, momentum: beta }),
  z.strictObject({ name: z.literal("fedadagrad"), ...adaptive }),
  z.strictObject({ name: z.enum(["fedadam", "fedyogi"]), ...adaptive, beta2: beta }),
]);

export type ServerOptimiserConfig = Exclude<z.infer<typeof serverOptimiserSchema>, { readonly name: "none" }>;
