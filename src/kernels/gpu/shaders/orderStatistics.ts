// SPDX-License-Identifier: Apache-2.0
import { sortingNetwork } from "../sortingNetwork.ts";
import { HEAD, MATRIX, PLACE, WORKGROUP } from "./payload.ts";

/** What is taken of a coordinate's K values in ascending order. */
export type Statistic =
  /** Twice the median. */
  | { readonly kind: "median" }
  /** The sum without the `trim` largest and the `trim` smallest. */
  | { readonly kind: "trimmed"; readonly trim: number }
  /** The sum of the `nearest` values closest to the median. */
  | { readonly kind: "around"; readonly nearest: number };

const MAIN = `
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let j = placeOf(group, groups, thread);
  if (j >= tileCount()) { return; }`;

/** Sums of at most this many values |q| < 2^24 fit int32: 128 · (2^24 − 1) < 2^31. */
export const INT32_SUM = 128;

/**
 * K ≤ INT32_SUM: one thread sorts a coordinate's values in registers with a network of fixed comparators. Output: one int32 a coordinate.
 */
export function sortingShader(updates: number, statistic: Statistic): string {
  const names = Array.from({ length: updates }, (_, k) => `q${k}`);
  const lines = names.map((name, k) => `let ${name} = valueAt(${k}u, j);`);
  let fresh = 0;
  for (const { first, second, low, high } of sortingNetwork(updates, neededPlaces(updates, statistic))) {
    const [a, b] = [names[first], names[second]];
    if (low) lines.push(`let a${fresh} = min(${a}, ${b});`);
    if (high) lines.push(`let b${fresh} = max(${a}, ${b});`);
    names[first] = `a${fresh}`;
    names[second] = `b${fresh}`;
    fresh++;
  }
  return `${HEAD}${MATRIX}${PLACE}
@group(0) @binding(2) var<storage, read_write> results: array<i32>;
${MAIN}
  ${lines.join("\n  ")}
  ${resultOf(names, statistic).join("\n  ")}
}`;
}

function neededPlaces(updates: number, statistic: Statistic): number[] {
  const [from, to] =
    statistic.kind === "median"
      ? [(updates - 1) >> 1, (updates >> 1) + 1]
      : statistic.kind === "trimmed"
        ? [statistic.trim, updates - statistic.trim]
        : [0, updates];
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Statements that write the statistic of sorted `names`. */
function resultOf(names: readonly string[], statistic: Statistic): string[] {
  const updates = names.length;
  const middle = `${names[(updates - 1) >> 1]} + ${names[updates >> 1]}`;
  if (statistic.kind === "median") return [`results[j] = ${middle};`];
  if (statistic.kind === "trimmed")
    return [`results[j] = ${names.slice(statistic.trim, updates - statistic.trim).join(" + ")};`];
  // The closest are neighbours in order: the window moves up while the value it would gain is closer than the one it would lose.
  const { nearest } = statistic;
  const lines = [`let middle = ${middle};`, "var moving = true;", `var sum = ${names.slice(0, nearest).join(" + ")};`];
  for (let from = 0; from + nearest < updates; from++) {
    const [lost, gained] = [names[from], names[from + nearest]];
    lines.push(
      `moving = moving && 2 * ${gained} - middle < middle - 2 * ${lost};`,
      `sum += select(0, ${gained} - ${lost}, moving);`,
    );
  }
  return [...lines, "results[j] = sum;"];
}

/**
 * The value of a given rank among `key(k, j)` for all k, found two bits at a time by counting how many lie below three thresholds: 13 passes
 * over 2^26 possible keys from `lowest` on. Ranks count from 0.
 */
const selectByCounting = (name: string, lowest: string, parameters: string, key: string): string => /* wgsl */ `
fn ${name}(j: u32, rank: u32${parameters}) -> i32 {
  var low = ${lowest};
  for (var shift = 26u; shift > 0u; ) {
    shift -= 2u;
    let step = 1i << shift;
    let thresholds = vec3i(low + step, low + 2 * step, low + 3 * step);
    var below = vec3u(0u);
    for (var k = 0u; k < rows(); k++) { below += select(vec3u(0u), vec3u(1u), vec3i(${key}) < thresholds); }
    let reached = select(vec3i(0), vec3i(1), below <= vec3u(rank));
    low += step * (reached.x + reached.y + reached.z);
  }
  return low;
}`;

/**
 * Any K: order statistics by counting, nothing sorted and nothing kept but a few registers. Output: one int32 a coordinate for the median, else
 * Σ (q ≫ 12) and Σ (q & 4095), each below 2^11 · 2^12 in magnitude, in two runs of `stride`.
 */
export function countingShader(statistic: Statistic["kind"]): string {
  return `${HEAD}${MATRIX}${PLACE}
@group(0) @binding(2) var<storage, read_write> results: array<i32>;
${selectByCounting("valueOfRank", "-33554432", "", "valueAt(k, j)")}
${
  statistic === "around"
    ? // |2q − m| ≤ 4 · (2^24 − 1) < 2^26.
      selectByCounting("distanceOfRank", "0", ", middle: i32", "abs(2 * valueAt(k, j) - middle)")
    : ""
}
${MIDDLE}
fn write(j: u32, high: i32, low: i32) {
  results[j] = high;
  results[stride() + j] = low;
}
${MAIN}
${COUNTED[statistic]}
}`;
}

const MIDDLE = /* wgsl */ `
/** Twice the median: the value of the lower middle rank, and the next one if its copies do not reach the upper middle. */
fn twiceMedian(j: u32) -> i32 {
  let lower = valueOfRank(j, (rows() - 1u) / 2u);
  var upTo = 0u;
  var next = 2147483647i;
  for (var k = 0u; k < rows(); k++) {
    let q = valueAt(k, j);
    if (q <= lower) { upTo++; } else { next = min(next, q); }
  }
  return lower + select(next, lower, upTo > rows() / 2u);
}`;

const COUNTED: Readonly<Record<Statistic["kind"], string>> = {
  median: "  results[j] = twiceMedian(j);",
  // Of the values equal to the ends, only as many as the ranks between leave room for.
  trimmed: /* wgsl */ `
  let trim = setting();
  let kept = rows() - 2u * trim;
  let smallest = valueOfRank(j, trim);
  let largest = valueOfRank(j, rows() - 1u - trim);
  if (smallest == largest) {
    write(j, i32(kept) * (smallest >> 12u), i32(kept) * (smallest & 4095));
    return;
  }
  var notAbove = 0i;
  var below = 0i;
  var high = 0i;
  var low = 0i;
  for (var k = 0u; k < rows(); k++) {
    let q = valueAt(k, j);
    if (q <= smallest) { notAbove++; }
    if (q < largest) { below++; }
    if (q > smallest && q < largest) { high += q >> 12u; low += q & 4095; }
  }
  let ofSmallest = notAbove - i32(trim);
  let ofLargest = i32(rows() - trim) - below;
  write(
    j,
    high + ofSmallest * (smallest >> 12u) + ofLargest * (largest >> 12u),
    low + ofSmallest * (smallest & 4095) + ofLargest * (largest & 4095),
  );`,
  // All that are closer than the farthest distance, and of those at it the smaller value first.
  around: /* wgsl */ `
  let nearest = setting();
  let middle = twiceMedian(j);
  let farthest = distanceOfRank(j, nearest - 1u, middle);
  var closer = 0i;
  var left = 0i;
  var high = 0i;
  var low = 0i;
  for (var k = 0u; k < rows(); k++) {
    let q = valueAt(k, j);
    let offset = 2 * q - middle;
    if (abs(offset) < farthest) { closer++; high += q >> 12u; low += q & 4095; }
    if (offset == -farthest) { left++; }
  }
  let room = i32(nearest) - closer;
  let ofLeft = min(room, left);
  let lower = (middle - farthest) / 2;
  let upper = (middle + farthest) / 2;
  write(
    j,
    high + ofLeft * (lower >> 12u) + (room - ofLeft) * (upper >> 12u),
    low + ofLeft * (lower & 4095) + (room - ofLeft) * (upper & 4095),
  );`,
};
