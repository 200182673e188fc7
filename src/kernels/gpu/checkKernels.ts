// SPDX-License-Identifier: Apache-2.0
import type { UpdateChunk } from "../../protocol/updateChunk.ts";
import type { WideKernels } from "../../protocol/wideKernels.ts";
import { gpuUnavailable } from "./unavailable.ts";

const TOP = 16_777_215;

/** Six coordinates of an update in each form, with the ends of the grid. */
const UPDATES: readonly UpdateChunk[] = [
  { kind: "dense", values: Int32Array.of(TOP, -TOP, 5, 0, -1, 4_097) },
  {
    // 381, −381, 3, 0 in a block of scale 3; −16 777 208, 13 210 400 in one of 132 104.
    kind: "blocks",
    bytes: Uint8Array.of(0, 0, 0, 3, 127, 129, 1, 0, 0, 2, 4, 8, 129, 100),
    valueBytes: 1,
    blockSize: 4,
    skip: 0,
    count: 6,
  },
  { kind: "sparse", indices: Uint32Array.of(1, 4), values: Int32Array.of(TOP, -4_096), count: 6 },
];
const WEIGHTS = Uint32Array.of(1, 40_000, 25_535);

/** What each kernel makes of them, by its definition. */
const ANSWERS: readonly {
  readonly kernel: string;
  readonly compute: (kernels: WideKernels) => Promise<Iterable<unknown>>;
  readonly expected: readonly unknown[];
}[] = [
  {
    kernel: "weighted sum",
    compute: (kernels) => kernels.weightedSum(UPDATES, WEIGHTS),
    expected: [32_017_215, 428_374_167_810, 120_005, 0, -671_192_911_361, 528_416_004_097],
  },
  {
    kernel: "Gram matrix",
    compute: async (kernels) => (await kernels.gram(UPDATES)).flat(),
    expected: [
      562_949_903_097_885n,
      66_924_023_853n,
      -281_474_943_152_129n,
      66_924_023_853n,
      455_989_376_725_595n,
      62_327_325_053n,
      -281_474_943_152_129n,
      62_327_325_053n,
      281_474_959_933_441n,
    ],
  },
  {
    kernel: "squared norms",
    compute: (kernels) => kernels.squaredNorms(UPDATES),
    expected: [562_949_903_097_885n, 455_989_376_725_595n, 281_474_959_933_441n],
  },
  {
    kernel: "squared distances",
    compute: (kernels) => kernels.squaredDistances(UPDATES, UPDATES[0] as UpdateChunk),
    expected: [0n, 1_018_805_431_775_774n, 1_407_374_749_335_584n],
  },
  {
    kernel: "median",
    compute: (kernels) => kernels.coordinateMedian(UPDATES),
    expected: [24_969_216, -24_969_216, 196_608, 0, -268_435_456, 268_500_992],
  },
  {
    kernel: "trimmed mean",
    compute: (kernels) => kernels.trimmedMean(UPDATES, 0),
    expected: [366_512_177_152, -8_323_072, 174_763, 0, -366_593_201_493, 288_675_091_797],
  },
  {
    kernel: "mean around the median",
    compute: (kernels) => kernels.meanAroundMedian(UPDATES, 2),
    expected: [12_484_608, -549_768_265_728, 262_144, 0, -134_250_496, 134_250_496],
  },
];

/**
 * Computes what is known: a driver that accepts the kernels and gets them wrong must not vote.
 *
 * @throws KernelError GPU_UNAVAILABLE, and whatever the kernels throw
 */
export async function checkKernels(kernels: WideKernels): Promise<void> {
  for (const { kernel, compute, expected } of ANSWERS) {
    const got = [...(await compute(kernels))];
    if (got.length !== expected.length || got.some((value, i) => value !== expected[i]))
      throw gpuUnavailable(`${kernels.device.name} computes a wrong ${kernel}: its driver is broken`);
  }
}
