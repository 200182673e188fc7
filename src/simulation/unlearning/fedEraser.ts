// SPDX-License-Identifier: Apache-2.0
import type { StoredRound } from "./recompute.ts";

export type Vector = Float32Array | Float64Array;

/** Where a tensor lies in the parameter vector. */
export interface Layer {
  readonly offset: number;
  readonly size: number;
}

export interface FedEraserOptions {
  readonly layers: readonly Layer[];
  /** Δt: every how many rounds updates were kept; 2 in the paper. */
  readonly keepEvery: number;
  /** r: share of the usual local work in calibration; .5 in the paper. */
  readonly effort: number;
  /** Calibrate each member's update (the paper), or the members' mean (its published code). */
  readonly calibrate: "client" | "mean";
}

/** A kept update with its weight n_i. */
export interface KeptUpdate {
  readonly delta: Vector;
  readonly samples: number;
}

/** Trains a remaining member for `effort` of a round's work from a state; how it would change it. */
export type Calibrate = (member: number, state: Float64Array, round: number, effort: number) => Promise<Vector>;

/**
 * FedEraser (spec I3): rebuilds the model without a member from kept updates. They say how far each round went, and a little training from the
 * rebuilt model says where: Ũ_i = ‖U_i‖·Û_i/‖Û_i‖ layer by layer. Only the first round with updates needs no calibration, since they were made from
 * the initial model; a later one may be the first kept, but the model had moved before. About keepEvery/effort times faster than training again, and
 * not exact.
 *
 * @param initial w⁰. @param rounds all of the run's rounds, ascending, without updates where a round failed; of those that `keepEvery` leaves out it
 * matters only whether there were updates.
 * Paper: Liu et al. 2021, "FedEraser: enabling efficient client-level data removal from federated learning models".
 */
export async function fedEraser(
  initial: Vector,
  rounds: readonly StoredRound<KeptUpdate>[],
  member: number,
  train: Calibrate,
  options: FedEraserOptions,
): Promise<Float64Array> {
  let state: Float64Array = Float64Array.from(initial);
  const first = rounds.findIndex(({ updates }) => updates.length > 0);
  for (const [t, { round, updates }] of rounds.entries()) {
    const others = updates.filter((stored) => stored.member !== member);
    if (t % options.keepEvery !== 0 || others.length === 0) continue;
    const stored = { round, updates: others };
    const deltas =
      t === first ? others.map(({ update }) => update.delta) : await calibrated(state, stored, train, options);
    const weights = others.map(({ update }) => update.samples);
    state = add(state, weightedMean(deltas, weights));
  }
  return state;
}

async function calibrated(
  state: Float64Array,
  { round, updates }: StoredRound<KeptUpdate>,
  train: Calibrate,
  { layers, effort, calibrate }: FedEraserOptions,
): Promise<readonly Vector[]> {
  const fresh: Vector[] = [];
  for (const { member } of updates) fresh.push(await train(member, state, round, effort));
  if (calibrate === "client")
    return updates.map(({ update }, i) => withLengthOf(update.delta, fresh[i] as Vector, layers));
  const weights = updates.map(({ update }) => update.samples);
  const old = weightedMean(
    updates.map(({ update }) => update.delta),
    weights,
  );
  const mean = withLengthOf(old, weightedMean(fresh, weights), layers);
  return updates.map(() => mean);
}

/** In each layer the direction of `fresh` with the length of `old`; a layer in which `fresh` is 0 has no direction and stays 0. */
export function withLengthOf(old: Vector, fresh: Vector, layers: readonly Layer[]): Float64Array {
  const out = new Float64Array(old.length);
  for (const { offset, size } of layers) {
    const length = norm(fresh.subarray(offset, offset + size));
    if (length === 0) continue;
    const factor = norm(old.subarray(offset, offset + size)) / length;
    for (let j = offset; j < offset + size; j++) out[j] = factor * (fresh[j] as number);
  }
  return out;
}

function weightedMean(vectors: readonly Vector[], weights: readonly number[]): Float64Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = new Float64Array((vectors[0] as Vector).length);
  for (const [i, vector] of vectors.entries())
    for (let j = 0; j < mean.length; j++)
      mean[j] = (mean[j] as number) + ((weights[i] as number) / total) * (vector[j] as number);
  return mean;
}

function add(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, j) => value + (b[j] as number));
}

function norm(vector: Vector): number {
  let squares = 0;
  for (const value of vector) squares += value * value;
  return Math.sqrt(squares);
}
