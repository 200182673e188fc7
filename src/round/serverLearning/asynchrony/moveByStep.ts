// SPDX-License-Identifier: Apache-2.0
import type { FloatVector } from "../strategy.ts";
import type { AsyncStep } from "./runAsync.ts";

/** A member's result, with the model that it started from. */
export interface AsyncUpdate {
  /** w^s. */
  readonly base: FloatVector;
  /** Δ_i = w_i − w^s. */
  readonly delta: FloatVector;
}

/**
 * How a step of an asynchronous run moves the model: Σ weight·Δ_i where updates are added (gradient-type aggregation), weight·(w_i − w) where a
 * model is mixed in (parameter-type; a stale model pulls back towards where it started).
 *
 * @returns the movement, to be added to `parameters`.
 */
export function movementOfStep(parameters: FloatVector, { kind, arrivals }: AsyncStep<AsyncUpdate>): Float64Array {
  const movement = new Float64Array(parameters.length);
  for (const { weight, update } of arrivals)
    for (let j = 0; j < movement.length; j++) {
      const own = update.delta[j] as number;
      const off = kind === "add" ? own : (update.base[j] as number) + own - (parameters[j] as number);
      movement[j] = (movement[j] as number) + weight * off;
    }
  return movement;
}
