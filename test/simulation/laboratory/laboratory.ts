// SPDX-License-Identifier: Apache-2.0
import { after, before } from "node:test";
import { openCpuKernels } from "../../../src/kernels/cpu/cpuKernels.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import type { LearningEngine } from "../../../src/learning/model.ts";
import type { WideKernels } from "../../../src/protocol/wideKernels.ts";
import type { CellResult } from "../../../src/simulation/laboratory/cellResult.ts";
import { type Cell, cellsOf, parseExperiment } from "../../../src/simulation/laboratory/experimentConfig.ts";
import { runCell } from "../../../src/simulation/laboratory/runCell.ts";

type Change = Readonly<Record<string, unknown>>;

/** Privacy that the server sees to, for cells that only have to be refused or accounted. */
export const CENTRAL = {
  mode: "central",
  clipNorm: 1,
  noiseMultiplier: 1,
  budget: { epsilon: 8, delta: 1e-5 },
  errorFeedback: false,
} as const;

/** A test file's cells, by what they change about one, and what runs them, opened before its tests and closed after. */
export function laboratory(base: Change) {
  let engine: LearningEngine;
  let kernels: WideKernels;
  before(async () => {
    engine = await createOnnxNodeEngine({ threads: 1 });
    kernels = await openCpuKernels({ threads: 1 });
  });
  after(async () => {
    await engine.dispose();
    await kernels.close();
  });
  const surroundings = () => ({ engine, kernels, dataRoot: "unused" });
  const cellOf = (change: Change, from = base): Cell => {
    const described = { name: "made-up", title: "Made up", seeds: [1], base: from, axes: { x: { one: change } } };
    return cellsOf(parseExperiment(described, "made-up.yaml"))[0] as Cell;
  };
  const run = (change: Change, from = base): Promise<CellResult> =>
    runCell("made-up", cellOf(change, from), surroundings());
  return { surroundings, cellOf, run };
}

/** What two runs of one cell have in common. */
export const lasting = ({ seconds: _, ...result }: CellResult) => result;
