// SPDX-License-Identifier: Apache-2.0
import type * as Snarkjs from "snarkjs";

let loaded: Promise<typeof Snarkjs> | undefined;

/**
 * snarkjs, set up to compute on the calling thread.
 *
 * Left alone it starts one thread for each core of the machine, and keeps the process alive with them. It looks for its curve in
 * `globalThis.curve_bn128` first, so a single-threaded curve put there is used by everything in this thread. Threads are our own
 * (prover.worker.ts), as many as the operator allows. The import is lazy because it costs 150 ms that most commands need not pay.
 */
export function loadSnarkjs(): Promise<typeof Snarkjs> {
  loaded ??= import("snarkjs").then(async (snarkjs) => {
    const curve = await snarkjs.curves.getCurveFromName("bn128", { singleThread: true });
    (globalThis as { curve_bn128?: Snarkjs.Curve }).curve_bn128 = curve;
    return snarkjs;
  });
  return loaded;
}
