// SPDX-License-Identifier: Apache-2.0
import { DESCRIPTOR_WORDS, HEAD_WORDS } from "../payload.ts";
import { FOUR_VALUES, HEAD, PLACE, SPARSE, WORKGROUP } from "./payload.ts";

/**
 * Σ λ_k q_k,j as Σ λ_k (q_k,j ≫ 12) and Σ λ_k (q_k,j & 4095). Weights are not negative and sum to at most 2^16, so every partial sum of the
 * first lies within ±2^16 · 2^12 and of the second below 2^16 · 2^12: int32 holds both with three bits to spare.
 *
 * Output: the first sums of the tile's `stride` coordinates, then the second.
 *
 * @param dense whether all updates are.
 */
export function weightedSumShader(dense: boolean): string {
  return /* wgsl */ `${HEAD}${FOUR_VALUES}${PLACE}
@group(0) @binding(2) var<storage, read_write> sums: array<vec4i>;

@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let fours = stride() / 4u;
  let g = placeOf(group, groups, thread);
  if (g >= fours) { return; }
  var high = vec4i(0);
  var low = vec4i(0);
  for (var k = 0u; k < fullRows(); k++) {
    let q = ${dense ? "denseAt" : "fourAt"}(k, g);
    let weight = i32(payload[descriptor(k) + 5u]);
    high += weight * (q >> vec4u(12u));
    low += weight * (q & vec4i(4095));
  }
  sums[g] = high;
  sums[fours + g] = low;
}`;
}

/** Adds the entries of sparse updates, one workgroup row for each. Several updates may have the same coordinate; integer sums have no order. */
export const SPARSE_SUM_SHADER = /* wgsl */ `${HEAD}${SPARSE}
@group(0) @binding(2) var<storage, read_write> sums: array<atomic<i32>>;

@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let d = ${HEAD_WORDS}u + (fullRows() + id.y) * ${DESCRIPTOR_WORDS}u;
  let weight = i32(payload[d + 5u]);
  for (var i = id.x; i < sparseEntries(d); i += groups.x * ${WORKGROUP}u) {
    let entry = sparseEntry(d, i);
    atomicAdd(&sums[entry.at], weight * (entry.value >> 12u));
    atomicAdd(&sums[stride() + entry.at], weight * (entry.value & 4095));
  }
}`;
