// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { positiveInteger } from "./numbers.ts";

const perStep = {
  localSteps: positiveInteger.max(1_000_000),
  batchSize: positiveInteger.max(65_536),
  learningRate: z.number().positive().max(100),
};

/** A member's optimiser; whatever it remembers starts anew every round and never leaves the member. */
export const trainingSchema = z.discriminatedUnion("optimiser", [
  z.strictObject({
    ...perStep,
    optimiser: z.literal("sgd-momentum").optional(),
    momentum: z.number().min(0).lt(1),
  }),
  z.strictObject({
    ...perStep,
    optimiser: z.enum(["adagrad", "sm3"]),
    /** ε, added to the root. */
    epsilon: z.number().positive().max(1),
    /** What every sum of squares starts from each round; above 0 the first steps are less like those of a sign. */
    initialAccumulator: z.number().min(0).max(1),
  }),
]);

export type TrainingPlan = z.infer<typeof trainingSchema>;
