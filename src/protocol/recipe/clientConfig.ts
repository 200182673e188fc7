// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";

/** How members train (src/learning/algorithms): one entry per client algorithm. Left out: FedAvg. */
export const clientSchema = z.discriminatedUnion("name", [z.strictObject({ name: z.literal("fedavg") })]);

export type ClientConfig = z.infer<typeof clientSchema>;
