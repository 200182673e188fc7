// SPDX-License-Identifier: Apache-2.0
import { openCpuKernels } from "../../../src/kernels/cpu/cpuKernels.ts";
import { describeKernels } from "../suite.ts";

// One around: vectors of 8 and 16, tiles of 1 024, 4 096 and 16 384, and enough for several tiles and threads.
const SIZES = [1_023, 1_025, 4_097, 16_385];

for (const threads of [1, 2, 3, 4]) {
  describeKernels(`cpu kernels, ${threads} threads`, () => openCpuKernels({ threads }), SIZES);
}
