// SPDX-License-Identifier: Apache-2.0

/** Consecutive coordinates of a flat vector. */
export interface Stretch {
  readonly offset: number;
  readonly size: number;
}
