// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { positiveInteger } from "./numbers.ts";

const perStep = {
  /** Batches per round; all of one size, so that one may span two passes through the shard. This or `localEpochs`. */
  localSteps: positiveInteger.max(1_000_000).optional(),
  /** Passes through the shard per round, ⌈n/B⌉ batches each, the last of them smaller where B does not divide n. */
  localEpochs: positiveInteger.max(10_000).optional(),
  /** With `localEpochs`: leave a smaller last batch out, unless it is the only one. */
  dropLast: z.boolean().optional(),
  batchSize: positiveInteger.max(65_536),
  learningRate: z.number().positive().max(100),
  /** Added to every gradient as this times the parameters; 0 if left out. */
  weightDecay: z.number().min(0).max(1).optional(),
};

interface Extent {
  readonly localSteps?: number | undefined;
  readonly localEpochs?: number | undefined;
  readonly dropLast?: boolean | undefined;
}
const oneExtent = ({ localSteps, localEpochs }: Extent): boolean =>
  (localSteps === undefined) !== (localEpochs === undefined);
const dropsFromEpochs = ({ localEpochs, dropLast }: Extent): boolean =>
  dropLast === undefined || localEpochs !== undefined;
const ONE_EXTENT = "state exactly one of localSteps and localEpochs";
const DROPS_FROM_EPOCHS = "dropLast goes with localEpochs: with localSteps all batches have one size";

/** A member's optimiser; whatever it remembers starts anew every round and never leaves the member. */
export const trainingSchema = z.discriminatedUnion("optimiser", [
  z
    .strictObject({
      ...perStep,
      optimiser: z.literal("sgd-momentum").optional(),
      momentum: z.number().min(0).lt(1),
    })
    .refine(oneExtent, ONE_EXTENT)
    .refine(dropsFromEpochs, DROPS_FROM_EPOCHS),
  z
    .strictObject({
      ...perStep,
      optimiser: z.enum(["adagrad", "sm3"]),
      /** ε, added to the root. */
      epsilon: z.number().positive().max(1),
      /** What every sum of squares starts from each round; above 0 the first steps are less like those of a sign. */
      initialAccumulator: z.number().min(0).max(1),
    })
    .refine(oneExtent, ONE_EXTENT)
    .refine(dropsFromEpochs, DROPS_FROM_EPOCHS),
  z
    .strictObject({
      ...perStep,
      optimiser: z.literal("adam"),
      beta1: z.number().min(0).lt(1),
      beta2: z.number().min(0).lt(1),
      /** ε, added to the root. */
      epsilon: z.number().positive().max(1),
    })
    .refine(oneExtent, ONE_EXTENT)
    .refine(dropsFromEpochs, DROPS_FROM_EPOCHS),
]);

export type TrainingPlan = z.infer<typeof trainingSchema>;
