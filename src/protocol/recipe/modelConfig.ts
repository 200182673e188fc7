// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { positiveInteger } from "./numbers.ts";

/** What is trained: one entry per architecture (src/learning/models). */
export const modelSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("logistic"), inputs: positiveInteger, classes: z.int().min(2) }),
  z.strictObject({
    kind: z.literal("mlp"),
    inputs: positiveInteger,
    hidden: z.array(positiveInteger).min(1).max(16),
    classes: z.int().min(2),
    activation: z.literal("relu"),
  }),
]);

export type ModelConfig = z.infer<typeof modelSchema>;
