// SPDX-License-Identifier: Apache-2.0
import { MASTER_EXTRA_BITS, powerOfTwo } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import { roundHalfAwayFromZero } from "../protocol/math.ts";
import type { ServerOptimiserConfig } from "../protocol/recipe/serverOptimiserConfig.ts";
import { isMomentValue, type Moment, momentsOf, type ServerState } from "../protocol/serverState.ts";
import type { MasterFile } from "./aggregate.ts";
import { AggregationError } from "./aggregationError.ts";
import type { Span } from "./spans.ts";

/** A run's server optimiser and where its state comes from and goes to: one file for each of its moments. */
export interface ServerOptimiser {
  readonly config: ServerOptimiserConfig;
  readonly state: Readonly<Partial<Record<Moment, MasterFile>>>;
}

/** What one step makes of a stretch of coordinates. */
export interface ServerStep {
  /** Movement of the master model, integers in units 2^-(F+16). */
  readonly movement: Float64Array;
  readonly state: ServerState;
}

/**
 * One step of a server optimiser (Reddi et al. 2021, Adaptive Federated Optimization, Algorithm 2; FedAvgM: Hsu et al. 2019), coordinate by
 * coordinate, with the rule's movement Δ as the direction of ascent:
 *
 *     FedAvgM      m ← β·m + Δ                  w ← w + η·m
 *     others       m ← β₁·m + (1 − β₁)·Δ        w ← w + η·m / (√v + τ)    with
 *     FedAdagrad   v ← v + Δ²
 *     FedAdam      v ← β₂·v + (1 − β₂)·Δ²
 *     FedYogi      v ← v − (1 − β₂)·Δ²·sign(v − Δ²)
 *
 * m starts at 0 and v at τ², and neither is corrected for that (as in the paper). Everything is float64 with + − × ÷ √ in the order written, so
 * every machine gets the same bits; the movement is rounded once, half away from zero, to the master grid, which makes the model no linear
 * function of its updates any more.
 *
 * @param increment the rule's movement, integers in units 2^-(F+16).
 * @param before the state at the same coordinates; what the config does not keep is 0.
 * @param fractionBits F.
 * @returns a movement that need not be finite: where it leads is for `moveMaster` to judge. The state may be off its range as well.
 */
export function serverStep(
  config: ServerOptimiserConfig,
  increment: Float64Array,
  before: ServerState,
  fractionBits: number,
): ServerStep {
  const bits = fractionBits + MASTER_EXTRA_BITS;
  const [unit, unitsPerOne] = [powerOfTwo(-bits), powerOfTwo(bits)];
  const { learningRate } = config;
  const [keep, take] = config.name === "fedavgm" ? [config.momentum, 1] : [config.beta1, 1 - config.beta1];
  const variance = config.name === "fedavgm" ? undefined : new Float64Array(increment.length);
  const momentum = new Float64Array(increment.length);
  const movement = new Float64Array(increment.length);
  for (let j = 0; j < increment.length; j++) {
    const delta = (increment[j] as number) * unit;
    // + 0: a mean that has shrunk to −0 is 0.
    const mean = keep * (before.momentum?.[j] ?? 0) + take * delta + 0;
    momentum[j] = mean;
    let step = learningRate * mean;
    if (config.name !== "fedavgm" && variance !== undefined) {
      const spread = nextVariance(config, before.variance?.[j] as number, delta * delta);
      variance[j] = spread;
      step /= Math.sqrt(spread) + config.tau;
    }
    movement[j] = roundHalfAwayFromZero(step * unitsPerOne);
  }
  const made: Record<Moment, Float64Array | undefined> = { momentum, variance };
  return { movement, state: Object.fromEntries(momentsOf(config).map((moment) => [moment, made[moment]])) };
}

/** v of the next round. Never below 0: where Yogi subtracts, v > Δ² ≥ (1 − β₂)·Δ². */
function nextVariance(
  config: Exclude<ServerOptimiserConfig, { readonly name: "fedavgm" }>,
  v: number,
  square: number,
): number {
  switch (config.name) {
    case "fedadagrad":
      return v + square;
    case "fedadam":
      return config.beta2 * v + (1 - config.beta2) * square;
    case "fedyogi": {
      const change = (1 - config.beta2) * square;
      return v > square ? v - change : v < square ? v + change : v;
    }
  }
}

/**
 * The optimiser's movement in place of the rule's at one span, its state read before and written after, like the master model. Without an
 * optimiser the rule's movement itself.
 *
 * @throws AggregationError GRID_OVERFLOW for a state that is no number any more.
 */
export async function applyServerOptimiser(
  optimiser: ServerOptimiser | undefined,
  increment: Float64Array,
  { offset, size, shift }: Span,
  layout: ModelLayout,
): Promise<Float64Array> {
  if (optimiser === undefined) return increment;
  const { config, state: files } = optimiser;
  const moments = momentsOf(config);
  const before = await Promise.all(
    moments.map(async (moment) => [moment, await (files[moment] as MasterFile).read(offset, size)]),
  );
  const { movement, state } = serverStep(
    config,
    increment,
    Object.fromEntries(before) as ServerState,
    layout.maxFractionBits - shift,
  );
  for (const moment of moments) {
    const values = state[moment] as Float64Array;
    const bad = values.findIndex((value) => !isMomentValue(moment, value));
    if (bad !== -1)
      throw new AggregationError(
        "GRID_OVERFLOW",
        `The ${moment} of coordinate ${offset + bad} would become ${values[bad]}, which a checkpoint cannot hold.`,
        { coordinate: offset + bad, moment, value: values[bad] },
      );
    await (files[moment] as MasterFile).write(offset, values);
  }
  return movement;
}
