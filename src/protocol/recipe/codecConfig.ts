// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { positiveInteger } from "./numbers.ts";

/** How an update is coded (src/update/payload.ts). */
export const codecSchema = z.discriminatedUnion("name", [
  z.strictObject({ name: z.enum(["int16", "int8"]), blockSize: z.int().min(1).max(65_536) }),
  z.strictObject({
    name: z.enum(["topk-int16", "topk-int8"]),
    blockSize: z.int().min(1).max(65_536),
    keep: positiveInteger,
  }),
]);

export type CodecConfig = z.infer<typeof codecSchema>;
