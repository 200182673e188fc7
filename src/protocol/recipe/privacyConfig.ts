// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";

/** What protects members' data (src/privacy): one entry per deployment of spec D6. Left out: none. */
export const privacySchema = z.discriminatedUnion("mode", [z.strictObject({ mode: z.literal("none") })]);

export type PrivacyConfig = z.infer<typeof privacySchema>;
