// SPDX-License-Identifier: Apache-2.0
import { workerData } from "node:worker_threads";
import { CONTROL, claimTile, controlOf, finishTile, readJob, runTile, slotsOf, tilesOf } from "./tileJob.ts";
import { instantiateKernels } from "./wasmModule.ts";

/** What a thread is started with. */
export interface KernelThread {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Its number, from 1. */
  readonly thread: number;
}

const { module, memory, thread } = workerData as KernelThread;
const kernels = instantiateKernels(module, memory);
const control = controlOf(memory);
const slots = slotsOf(memory);

/** Works on the open job, if there is one, until all its tiles are taken. */
function takePart(): void {
  Atomics.add(control, CONTROL.active, 1);
  // Only now: the caller changes the job when it is closed and nobody is active.
  if (Atomics.load(control, CONTROL.open) === 1) {
    const job = readJob(memory);
    const tiles = tilesOf(job);
    while (thread < job.threads && Atomics.load(control, CONTROL.open) === 1) {
      const available = Atomics.load(control, CONTROL.available);
      const tile = claimTile(control, tiles);
      if (tile >= 0) {
        runTile(kernels, job, tile, thread);
        finishTile(control, slots, job, tile);
      } else if (Atomics.load(control, CONTROL.next) >= tiles) break;
      else Atomics.wait(control, CONTROL.available, available);
    }
  }
  Atomics.sub(control, CONTROL.active, 1);
  Atomics.notify(control, CONTROL.active);
}

// The thread never returns to its event loop; `terminate` ends it, here or in a kernel.
for (let seen = 0; ; ) {
  takePart();
  Atomics.wait(control, CONTROL.generation, seen);
  seen = Atomics.load(control, CONTROL.generation);
}
