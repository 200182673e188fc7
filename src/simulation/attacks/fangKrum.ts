// SPDX-License-Identifier: Apache-2.0
import { krumScores, lowestFirst } from "../../aggregation/krum.ts";
import type { CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";
import {
  addScaled,
  dot,
  gaussian,
  largestEntry,
  meanOf,
  norm,
  scaled,
  squaredDistance,
  squaredDistances,
} from "./vectors.ts";

/** Below, the search for λ gives up and uses what it has. */
const SMALLEST = 1e-5;
/** Squared distances as integers for the project's Krum: 2^40 is the largest. */
const RESOLUTION = 2 ** 40;

/**
 * Fang's attack on Krum (spec G6): all attackers send −λ·sign(μ), against the direction in which the model would move, with the largest λ found
 * by halving for which Krum still chooses them. Without the honest updates Krum is tried on the attackers' own and a growing number of copies.
 *
 * Paper: Fang, Cao, Jia & Gong 2020, "Local model poisoning attacks to Byzantine-robust federated learning".
 */
export function fangKrum({ mode, noise }: ConfigOf<"fang-krum">, input: CraftInput): readonly Vector[] {
  const { own, benign, knowsUpdates, rule, random } = input;
  const mean = meanOf(benign);
  const direction = mean.map(Math.sign);
  const attackers = own.length;
  const reckoned = rule?.rule === "krum" || rule?.rule === "multi-krum" ? rule.parameters.byzantine : attackers;
  let lambda = 0;
  for (let copies = knowsUpdates ? attackers : 1; copies <= attackers; copies++) {
    const byzantine = knowsUpdates ? reckoned : copies;
    const largest =
      mode === "paper" ? largestLambda(benign, benign.length + copies, copies) : referenceLambda(benign, mean, copies);
    const found = search(benign, direction, copies, byzantine, largest);
    lambda = found.lambda;
    if (found.chosen) break;
  }
  const crafted = scaled(-lambda, direction);
  return own.map((_, i) => {
    if (i === 0 || noise === 0) return crafted;
    const jitter = gaussian(random.derive("jitter", i), crafted.length, 1);
    return addScaled(crafted, noise / norm(jitter), jitter);
  });
}

/** √(min_i Σ_{j ∈ Γ_i} D²_ij / ((K − 2f − 1)·d)) + max_i ‖Δ_i‖/√d, Γ_i the K − f − 2 nearest honest updates. */
export function largestLambda(benign: readonly Vector[], members: number, attackers: number): number {
  const size = (benign[0] as Vector).length;
  const least = smallestNeighbourSum(squaredDistances(benign), members - attackers - 2);
  const longest = Math.max(...benign.map(norm));
  return Math.sqrt(least / (Math.max(1, members - 2 * attackers - 1) * size)) + longest / Math.sqrt(size);
}

/** The same with distances in place of their squares, measured from the mean, and at most 1. */
function referenceLambda(benign: readonly Vector[], mean: Vector, attackers: number): number {
  const root = Math.sqrt((benign[0] as Vector).length);
  const distances = squaredDistances(benign).map((row) => row.map(Math.sqrt));
  const least = smallestNeighbourSum(distances, benign.length - attackers - 2);
  const furthest = Math.sqrt(Math.max(...benign.map((update) => squaredDistance(update, mean))));
  return Math.min(1, least / (Math.max(1, benign.length - attackers - 1) * root) + furthest / root);
}

function smallestNeighbourSum(distances: readonly (readonly number[])[], neighbours: number): number {
  const sums = distances.map((row, i) =>
    row
      .filter((_, j) => j !== i)
      .sort((a, b) => a - b)
      .slice(0, Math.max(1, neighbours))
      .reduce((sum, distance) => sum + distance, 0),
  );
  return Math.min(...sums);
}

/** Halves λ until Krum, on the benign updates and `copies` of −λs, chooses a copy. */
function search(
  benign: readonly Vector[],
  direction: Float64Array,
  copies: number,
  byzantine: number,
  largest: number,
): { lambda: number; chosen: boolean } {
  const between = squaredDistances(benign);
  const lengths = benign.map((update) => dot(update, update));
  const along = benign.map((update) => dot(update, direction));
  const turns = dot(direction, direction);
  for (let lambda = largest; ; lambda /= 2) {
    // ‖−λs − Δ_i‖²
    const toCopy = benign.map(
      (_, i) => lambda * lambda * turns + 2 * lambda * (along[i] as number) + (lengths[i] as number),
    );
    if (krumChoosesCopy(between, toCopy, copies, byzantine)) return { lambda, chosen: true };
    if (lambda < SMALLEST) return { lambda, chosen: false };
  }
}

/** Whether the project's own Krum chooses one of the copies, which come last and so lose every tie. */
function krumChoosesCopy(
  between: readonly (readonly number[])[],
  toCopy: readonly number[],
  copies: number,
  byzantine: number,
): boolean {
  const honest = between.length;
  const furthest = largestEntry([toCopy, ...between]);
  const unit = furthest > 0 ? RESOLUTION / furthest : 1;
  const exact = (distance: number): bigint => BigInt(Math.round(Math.max(0, distance) * unit));
  const twins = new Array<bigint>(copies).fill(0n);
  const distances = between.map((row, i) => [...row.map(exact), ...twins.map(() => exact(toCopy[i] as number))]);
  for (let c = 0; c < copies; c++) distances.push([...toCopy.map(exact), ...twins]);
  const neighbours = Math.max(1, honest + copies - byzantine - 2);
  return (lowestFirst(krumScores(distances, neighbours))[0] as number) >= honest;
}
