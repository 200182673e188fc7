// SPDX-License-Identifier: Apache-2.0
// The wide kernels over one shared memory, for any number of threads: every function works on the coordinates [from, to) it is given and on
// scratch of its own. Built by scripts/kernels.ts; src/kernels/cpu holds the other side.
export { gram, gramScratch, gramSums } from "./gram";
export { orderScratch, orderStatistic } from "./orderStatistics";
export { squares, squaresScratch } from "./squares";
export { weightedSum, weightedSumScratch } from "./weightedSum";
