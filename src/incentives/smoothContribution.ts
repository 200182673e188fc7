// SPDX-License-Identifier: Apache-2.0

/** Tenths of the past that stay. */
const KEPT_TENTHS = 7;

/**
 * A member's contribution as an exponential moving average of its scores, ⌊0.7·φ̄ + 0.3·φ⌋: what SPFL's dynamic weights take instead of a sum, in which
 * an early lead never fades.
 *
 * @param before φ̄, integer in 2^-20 nats; undefined before the member's first score, which is then taken as it is.
 * @param score φ of this round, integer in 2^-20 nats.
 */
export function smoothContribution(before: number | undefined, score: number): number {
  return before === undefined ? score : Math.floor((KEPT_TENTHS * before + (10 - KEPT_TENTHS) * score) / 10);
}
