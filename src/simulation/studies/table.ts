// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { alignment, alignmentSchema } from "./alignment.ts";
import { lambdaSearch, lambdaSearchSchema } from "./lambdaSearch.ts";
import { peft, peftSchema } from "./peft.ts";
import { rotation, rotationSchema } from "./rotation.ts";
import type { Figures, StudySurroundings } from "./study.ts";
import { tiers, tiersSchema } from "./tiers.ts";
import { unlearning, unlearningSchema } from "./unlearning.ts";

/** All studies: one row each. */
export const studySchema = z.discriminatedUnion("name", [
  alignmentSchema,
  lambdaSearchSchema,
  peftSchema,
  rotationSchema,
  tiersSchema,
  unlearningSchema,
]);

export type StudyConfig = z.output<typeof studySchema>;

/** Runs the study that a configuration names. */
export function runStudy(config: StudyConfig, seed: number, surroundings: StudySurroundings): Promise<Figures> {
  switch (config.name) {
    case "alignment":
      return alignment(config, seed, surroundings);
    case "lambda-search":
      return lambdaSearch(config, seed, surroundings);
    case "peft":
      return peft(config, seed, surroundings);
    case "rotation":
      return rotation(config, seed, surroundings);
    case "tiers":
      return tiers(config, seed, surroundings);
    case "unlearning":
      return unlearning(config, seed, surroundings);
  }
}
