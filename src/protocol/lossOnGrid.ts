// SPDX-License-Identifier: Apache-2.0

/** A loss in nats as it is committed: units of 2^-16, nearest, saturating at uint32; NaN becomes 0. */
export function lossOnGrid(loss: number): number {
  const units = Math.floor(loss * 65_536 + 0.5);
  return units > 0 ? Math.min(4_294_967_295, units) : 0;
}
