// SPDX-License-Identifier: Apache-2.0

/** Second derivatives from gradients alone (spec B10.3): no engine here differentiates twice. */

import { moved, norm } from "./vectors.ts";

/** ∇s at given parameters; the same function of them each time: same batch, projections and masks. */
export type GradientAt = (parameters: Float32Array) => Promise<Float32Array>;

/** Gradients shorter than this have no direction. */
const LEAST_LENGTH = 1e-12;

/** H·u ≈ [∇s(θ+εu) − ∇s(θ−εu)]/(2ε), with H = ∇²s and a direction u of length 1. */
export async function hessianTimes(
  gradientAt: GradientAt,
  parameters: Float32Array,
  unit: ArrayLike<number>,
  epsilon: number,
): Promise<Float32Array> {
  const above = await gradientAt(moved(parameters, epsilon, unit));
  const below = await gradientAt(moved(parameters, -epsilon, unit));
  return above.map((value, i) => (value - (below[i] as number)) / (2 * epsilon));
}

/** ‖∇s(θ)‖ and its gradient H·u, u = ∇s/‖∇s‖; zeros where there is no direction. */
export async function gradientNorm(
  gradientAt: GradientAt,
  parameters: Float32Array,
  epsilon: number,
): Promise<{ readonly length: number; readonly gradient: Float32Array }> {
  const slope = await gradientAt(parameters);
  const length = norm(slope);
  if (length < LEAST_LENGTH) return { length: 0, gradient: new Float32Array(parameters.length) };
  const unit = Float64Array.from(slope, (value) => value / length);
  return { length, gradient: await hessianTimes(gradientAt, parameters, unit, epsilon) };
}
