// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { positiveInteger } from "./numbers.ts";

const blockSize = z.int().min(1).max(65_536);
/** How a value between two levels is rounded: toward zero (left out), which never leaves a bound, or to either with its odds, which is unbiased. */
const rounding = z.literal("stochastic").optional();

/** How an update is coded (src/update/codecs.ts). */
export const codecSchema = z.discriminatedUnion("name", [
  z.strictObject({ name: z.enum(["int16", "int8"]), blockSize, rounding }),
  z.strictObject({ name: z.enum(["topk-int16", "topk-int8"]), blockSize, keep: positiveInteger }),
  z.strictObject({
    name: z.enum(["randk-int16", "randk-int8"]),
    blockSize,
    keep: positiveInteger,
    /** Names the mask's stream together with run and round, so that runs that are compared can have the same masks. */
    seed: z.string().min(1).max(200).optional(),
    /** Whether values are scaled by d/k, which makes them unbiased and leaves no residual; false: sent as they are, the rest waits. */
    unbiased: z.boolean(),
  }),
  z.strictObject({
    name: z.literal("qsgd"),
    /** s, levels above 0. */
    levels: positiveInteger.max(127),
    /** Values that share a norm. */
    blockSize: z.int().min(1).max(16_384),
    /** Whether values are divided by 1 + ω, as error feedback needs it; false: unbiased, without residual. */
    scaled: z.boolean(),
  }),
  z.strictObject({ name: z.literal("fp16") }),
  z.strictObject({
    name: z.literal("low-rank"),
    /** Of the two factors that stand for a tensor of two or more axes, where these are fewer values than it has. */
    rank: positiveInteger.max(256),
  }),
]);

export type CodecConfig = z.infer<typeof codecSchema>;

/** What becomes of a residual that waits for its member's next update (src/update/residual.ts). Left out: kept whole for 50 rounds. */
export const errorFeedbackSchema = z.strictObject({
  /** Factor for every round from the one that it is from to the one that says it: once for a member that is never away. */
  decay: z.number().positive().max(1),
  /** Rounds up to which it is said; an older one is dropped: it says little about a model that has moved on. */
  maxAge: positiveInteger.max(1_000_000),
});

export type ErrorFeedbackConfig = z.infer<typeof errorFeedbackSchema>;
