// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { positiveInteger } from "./numbers.ts";

const inputs = positiveInteger;
const classes = z.int().min(2);
const width = z.int().min(1).max(65_536);
/** Share of units dropped in training. */
const dropout = z.number().min(0.01).max(0.95).optional();
const activation = z.enum(["relu", "tanh"]);
/** Bottlenecks of that width, h + W_up·act(W_down·h), which client algorithms can train in place of the model's own layers. */
const adapters = z.strictObject({ width: z.int().min(1).max(4096) }).optional();
/** Width of a projection head before the last layer, for contrastive training (MOON: 256, small models 32); left out: none. */
const projection = z.int().min(1).max(4096).optional();
/** One sample's extents; inputs = channels · height · width. A signal over time is an image of height 1. */
const image = z.strictObject({
  channels: z.int().min(1).max(1024),
  height: z.int().min(1).max(4096),
  width: z.int().min(1).max(65_536),
});
/** Token ids 1 … vocabulary − 1; 0 is padding. */
const vocabulary = z.int().min(2).max(8192);

/** What is trained: one entry per architecture (src/learning/models). Every one has inputs (values per sample) and classes. */
export const modelSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("logistic"), inputs, classes }),
  z.strictObject({
    kind: z.literal("mlp"),
    inputs,
    hidden: z.array(positiveInteger).min(1).max(16),
    classes,
    activation,
    dropout,
    /** After each hidden layer's activation. */
    adapters,
    projection,
  }),
  z.strictObject({
    kind: z.literal("cnn"),
    inputs,
    image,
    convolutions: z
      .array(
        z.strictObject({
          channels: z.int().min(1).max(1024),
          /** Square; an axis of extent 1 is left alone. */
          kernel: z.int().min(1).max(31),
          /** "same" keeps the image's size and needs an odd kernel. */
          padding: z.enum(["same", "valid"]),
          /** Pixels pooled along each axis; 1 pools nothing. */
          pool: z.int().min(1).max(16),
        }),
      )
      .min(1)
      .max(16),
    pool: z.enum(["max", "average"]),
    /** Widths of the dense layers between the image and the head. */
    hidden: z.array(width).max(16),
    classes,
    activation,
    dropout,
    projection,
  }),
  z.strictObject({
    kind: z.literal("resnet"),
    inputs,
    image,
    /** Channels of each stage; every stage after the first halves the resolution. */
    stages: z.array(z.int().min(1).max(1024)).min(1).max(6),
    /** Residual blocks per stage. */
    blocks: z.int().min(1).max(18),
    normalisation: z.literal("group", {
      error: ({ input }) =>
        `The residual network has normalisation "group"; got ${JSON.stringify(input)}. Batch norm keeps running statistics of members' data, which are neither averaged nor private; there is none here.`,
    }),
    /** Groups of channels per normalisation; divides every stage's channels. */
    groups: z.int().min(1).max(1024),
    classes,
    projection,
  }),
  z.strictObject({
    kind: z.literal("lstm"),
    inputs,
    /** inputs = steps · channels, step after step. */
    steps: z.int().min(1).max(1024),
    channels: z.int().min(1).max(4096),
    hidden: z.int().min(1).max(4096),
    layers: z.int().min(1).max(8),
    classes,
    /** Between layers. */
    dropout,
    projection,
  }),
  z.strictObject({
    kind: z.literal("transformer"),
    /** Tokens per text, padding included. */
    inputs: z.int().min(1).max(2048),
    vocabulary,
    width: z.int().min(1).max(4096),
    heads: z.int().min(1).max(64),
    feedForward: z.int().min(1).max(16_384),
    blocks: z.int().min(1).max(24),
    /** Where layer norm stands: before each branch, or after each addition. */
    normalisation: z.enum(["pre", "post"]),
    classes,
    dropout,
    /** At the end of each block's two branches, before they are added to the stream. */
    adapters,
    projection,
  }),
  z.strictObject({
    kind: z.literal("bagOfEmbeddings"),
    inputs: z.int().min(1).max(65_536),
    vocabulary,
    width: z.int().min(1).max(4096),
    classes,
    projection,
  }),
]);

export type ModelConfig = z.infer<typeof modelSchema>;
