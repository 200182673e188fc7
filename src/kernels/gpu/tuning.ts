// SPDX-License-Identifier: Apache-2.0

/** How the kernels use a device. None of it changes a result; tests force every way. */
export interface GpuTuning {
  /** Bytes of updates that are on the device at a time, about; two such tiles are under way. */
  readonly tileBytes: number;
  /** Up to this many updates a coordinate's values are sorted in registers; above, order statistics are found by counting. */
  readonly registerUpdates: number;
  /** Whether to use the packed dot product of the language, where the device has it. */
  readonly packedDot: boolean;
}

export const DEFAULT_TUNING: GpuTuning = { tileBytes: 33_554_432, registerUpdates: 64, packedDot: true };
