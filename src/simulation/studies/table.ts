// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { incentive, incentiveSchema } from "./incentive.ts";
import type { Figures, StudySurroundings } from "./study.ts";
import { unlearning, unlearningSchema } from "./unlearning.ts";

/** All studies: one row each. */
export const studySchema = z.discriminatedUnion("name", [incentiveSchema, unlearningSchema]);

export type StudyConfig = z.output<typeof studySchema>;

/** Runs the study that a configuration names. */
export function runStudy(config: StudyConfig, seed: number, surroundings: StudySurroundings): Promise<Figures> {
  switch (config.name) {
    case "incentive":
      return incentive(config, seed, surroundings);
    case "unlearning":
      return unlearning(config, seed, surroundings);
  }
}
