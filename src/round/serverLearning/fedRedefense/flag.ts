// SPDX-License-Identifier: Apache-2.0
import { median } from "../../../numerics/quantiles.ts";

/** Which reconstruction errors are too large. */
export type ErrorThreshold =
  /** Above this, as in the paper (0.6). */
  | { readonly kind: "fixed"; readonly limit: number }
  /** Above median + k·1.4826·MAD of this round's errors. */
  | { readonly kind: "mad"; readonly k: number };

/** Errors equal up to this are one error: rounding must not flag one of two twins. */
const SLACK = 1e-9;

/**
 * Who is kept: reconstruction errors up to the threshold. NaN is flagged always, and so is an update without length (a free rider, whose error is
 * 1 by definition). When everybody is flagged, the ⌈K/3⌉ lowest errors among those that are numbers stay; ties by place.
 *
 * @param lengths ‖Δ_i‖.
 */
export function keptByError(
  errors: readonly number[],
  lengths: readonly number[],
  threshold: ErrorThreshold,
): boolean[] {
  const numbers = errors.filter((error) => !Number.isNaN(error));
  const limit = numbers.length === 0 ? 0 : limitOf(numbers, threshold);
  const kept = errors.map((error, k) => error <= limit + SLACK && (lengths[k] as number) >= NO_LENGTH);
  if (kept.some(Boolean)) return kept;
  const order = Array.from(errors.keys())
    .filter((k) => !Number.isNaN(errors[k]))
    .sort((a, b) => (errors[a] as number) - (errors[b] as number) || a - b);
  const third = new Set(order.slice(0, Math.ceil(errors.length / 3)));
  return errors.map((_, k) => third.has(k));
}

/** An update shorter than this has no direction to reconstruct. */
export const NO_LENGTH = 1e-12;

function limitOf(errors: readonly number[], threshold: ErrorThreshold): number {
  if (threshold.kind === "fixed") return threshold.limit;
  const middle = median(errors);
  return middle + threshold.k * 1.4826 * median(errors.map((error) => Math.abs(error - middle)));
}
