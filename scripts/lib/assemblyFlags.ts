// SPDX-License-Identifier: Apache-2.0

/**
 * How kernels are compiled, and the readers that they are measured against: shared memory of up to 4 GiB, given by the host; SIMD, but no
 * relaxed SIMD, whose results differ between processors.
 */
export const ASSEMBLY_FLAGS = [
  "-O3",
  "--runtime",
  "stub",
  "--noAssert",
  "--importMemory",
  "--sharedMemory",
  "--initialMemory",
  "1",
  "--maximumMemory",
  "65536",
  "--enable",
  "simd,threads,bulk-memory",
];
