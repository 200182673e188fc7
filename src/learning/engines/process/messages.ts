// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";

/** Version of the messages between Foedus and a child process (docs/engines.md). Any change of their meaning is a new number. */
export const PROTOCOL_VERSION = 1;

const id = z.int().min(0);

export const helloReply = z.strictObject({
  type: z.literal("hello"),
  id,
  protocol: z.literal(PROTOCOL_VERSION),
  /** What runs the models, for logs, e.g. "numpy 1.24.2". */
  name: z.string().min(1).max(200),
});

export const loadReply = z.strictObject({
  type: z.literal("loaded"),
  id,
  /** The model's tensors in the order of the flat vector; must be those of the request. */
  layout: z.array(z.strictObject({ name: z.string().min(1).max(256), shape: z.array(z.int().min(1)).max(8) })).min(1),
  /** Width of the features: the inputs of the last linear layer. */
  features: z.int().min(1),
  /** Whether the process answers `step`. */
  step: z.boolean(),
});

export const resultReply = z.strictObject({ type: z.literal("result"), id });

/** A request that cannot be answered; the process goes on. */
const errorReply = z.strictObject({
  type: z.literal("error"),
  id,
  code: z.enum(["UNSUPPORTED", "WRONG_SHAPE", "FAILED"]),
  message: z.string().min(1).max(4_096),
});

export const anyReply = z.discriminatedUnion("type", [helloReply, loadReply, resultReply, errorReply]);

export type Reply = z.output<typeof anyReply>;
