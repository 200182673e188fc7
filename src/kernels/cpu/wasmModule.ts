// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { KernelError } from "../errors.ts";

/** Where `scripts/kernels.ts` puts the compiled kernels of assembly/. */
export const KERNELS_WASM = new URL("../../../build/kernels/kernels.wasm", import.meta.url);

/** The functions of assembly/kernels.ts; addresses and sizes are uint32, which arrive as int32 from a call: `>>> 0`. */
export interface KernelExports {
  weightedSum(rows: number, count: number, from: number, to: number, out: number, scratch: number): void;
  weightedSumScratch(count: number): number;
  gram(rows: number, count: number, from: number, to: number, sums: number, scratch: number): void;
  gramScratch(count: number): number;
  gramSums(count: number): number;
  squares(rows: number, count: number, from: number, to: number, centre: number, sums: number, scratch: number): void;
  squaresScratch(): number;
  orderStatistic(
    rows: number,
    count: number,
    from: number,
    to: number,
    out: number,
    scratch: number,
    program: number,
    programBytes: number,
    statistic: number,
    parameter: number,
  ): void;
  orderScratch(count: number, size: number): number;
}

/** @throws KernelError KERNELS_NOT_BUILT when set-up has not built it. */
export async function loadKernelModule(file: URL = KERNELS_WASM): Promise<WebAssembly.Module> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(await readFile(file));
  } catch (cause) {
    throw new KernelError(
      "KERNELS_NOT_BUILT",
      `The compiled kernels ${file.pathname} cannot be read; run \`npm run setup\`.`,
      { file: file.pathname },
      cause,
    );
  }
  return WebAssembly.compile(bytes);
}

export function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
}
