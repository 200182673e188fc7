// SPDX-License-Identifier: Apache-2.0
import { parentPort } from "node:worker_threads";
import { FixedBase, type Group } from "./fixedBase.ts";

/** A slice of the work of `FixedBasePool.multiply`; both arrays lie in shared memory. */
export interface MultiplyTask {
  readonly id: number;
  readonly group: Group;
  readonly scalars: Uint8Array;
  readonly points: Uint8Array;
}

if (parentPort === null) throw new Error("fixedBase.worker.ts runs as a worker thread only.");
const port = parentPort;
const fixedBase = new FixedBase();

port.on("message", ({ id, group, scalars, points }: MultiplyTask) => {
  fixedBase.multiply(group, scalars, points);
  port.postMessage(id);
});
