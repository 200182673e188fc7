// SPDX-License-Identifier: Apache-2.0
import type { ServerOptimiserConfig } from "./recipe/serverOptimiserConfig.ts";

/** What a server optimiser remembers between rounds: m, the mean of the movements, and v, of their squares. */
export type Moment = "momentum" | "variance";

/**
 * The server optimiser's state, float64, one value per coordinate: m in units of the model's parameters, v in their squares. It belongs to the
 * model: a checkpoint holds both, and modelRoot covers both.
 */
export type ServerState = Readonly<Partial<Record<Moment, Float64Array>>>;

/** Which moments a run keeps, in the order of a checkpoint. With β₁ = 0 m is the movement itself, and nothing is remembered of it. */
export function momentsOf(config: ServerOptimiserConfig | undefined): readonly Moment[] {
  if (config === undefined) return [];
  if (config.name === "fedavgm") return ["momentum"];
  return config.beta1 === 0 ? ["variance"] : ["momentum", "variance"];
}

/** The state of a run's initial model: m = 0, v = τ² (Reddi et al. 2021, which asks for v ≥ τ²). */
export function initialServerState(config: ServerOptimiserConfig | undefined, size: number): ServerState {
  const start: Record<Moment, number> = {
    momentum: 0,
    variance: config === undefined || config.name === "fedavgm" ? 0 : config.tau * config.tau,
  };
  return Object.fromEntries(momentsOf(config).map((moment) => [moment, new Float64Array(size).fill(start[moment])]));
}

/** Whether x may stand in a state: finite, never −0, which has another bit pattern than +0, and no variance below 0. */
export function isMomentValue(moment: Moment, x: number): boolean {
  return Number.isFinite(x) && !Object.is(x, -0) && (moment === "momentum" || x >= 0);
}
