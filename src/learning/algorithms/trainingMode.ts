// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../../protocol/random.ts";
import { type Mode, type Model, TRAINING } from "../model.ts";

/** The mode of step k on a batch of that size: its masks are keyed by the step, so that several passes of one step share them. */
export type ModeOfStep = (step: number, batchSize: number) => Mode;

/** How a model trains. No model here has layers that take masks; one that has draws them from `random.derive("masks", step)`. */
export function trainingModes(_model: Model, _random: Random): ModeOfStep {
  return () => TRAINING;
}
