// SPDX-License-Identifier: Apache-2.0
import type { ConfigError } from "../protocol/errors.ts";

/** Nothing above is tried. */
export const LARGEST = 1e12;
/** Halvings after the bracket is found: a factor of two in 2^-44, 13 digits. */
const STEPS = 44;

/**
 * The smallest positive x with a property that all larger x have too, to 13 digits and never below it.
 *
 * @param refusal what is thrown when not even 10^12 has it: only the caller knows the values and what to ask for instead.
 */
export function smallestWith(has: (x: number) => boolean, refusal: () => ConfigError): number {
  let high = 1;
  while (!has(high)) {
    high *= 2;
    if (high > LARGEST) throw refusal();
  }
  let low = high / 2;
  while (has(low)) {
    if (low < 1 / LARGEST) return low;
    high = low;
    low /= 2;
  }
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (has(middle)) high = middle;
    else low = middle;
  }
  return high;
}
