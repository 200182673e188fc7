// SPDX-License-Identifier: Apache-2.0
import type { LearningEngine } from "../../learning/model.ts";
import type { WideKernels } from "../../protocol/wideKernels.ts";

/** What a study runs with. */
export interface StudySurroundings {
  readonly engine: LearningEngine;
  readonly kernels: WideKernels;
  /** Folder with real data sets. */
  readonly dataRoot: string;
  readonly signal?: AbortSignal;
}

/** What a study measured, by name; finite numbers. */
export type Figures = Readonly<Record<string, number>>;

/** An experiment on one mechanism that is no federation of its own. The same options and seed give the same figures. */
export type Study<Options> = (options: Options, seed: number, surroundings: StudySurroundings) => Promise<Figures>;
