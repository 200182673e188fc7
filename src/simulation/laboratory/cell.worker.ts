// SPDX-License-Identifier: Apache-2.0

/** A thread that runs cells, one after the other. What it needs of native code it opens once. */

import { parentPort, workerData } from "node:worker_threads";
import { openCpuKernels } from "../../kernels/cpu/cpuKernels.ts";
import { createOnnxNodeEngine } from "../../learning/engines/onnxNode.ts";
import { FoedusError } from "../../protocol/errors.ts";
import { runCell } from "./runCell.ts";
import type { CellAnswer, CellOrder, WorkerSetting } from "./workerMessages.ts";

const port = parentPort;
if (port === null) throw new Error("This file runs as a worker thread.");
const { experiment, dataRoot } = workerData as WorkerSetting;
const engine = await createOnnxNodeEngine({ threads: 1 });
const kernels = await openCpuKernels({ threads: 1 });
const answer = (message: CellAnswer): void => port.postMessage(message);

port.on("message", async (order: CellOrder) => {
  try {
    const result = await runCell(experiment, order.cell, {
      engine,
      kernels,
      dataRoot,
      onRound: (round, of) => answer({ kind: "round", round, of }),
    });
    answer({ kind: "result", result });
  } catch (error) {
    const code = error instanceof FoedusError ? error.code : undefined;
    answer({
      kind: "failure",
      code,
      message: error instanceof Error ? error.message : String(error),
      stack: error instanceof Error ? (error.stack ?? "") : "",
    });
  }
});
answer({ kind: "ready" });
