// SPDX-License-Identifier: Apache-2.0
import { ADD_64, HEAD, MATRIX, WORKGROUP } from "./payload.ts";

/** Coordinates of one thread, see `normsShader`. */
const PER_THREAD = 64;
/** Coordinates of one workgroup. */
export const NORM_COORDINATES = PER_THREAD * WORKGROUP;
/** Σ h², Σ h·l and Σ l² of an update. */
export const NORM_SUMS = 3;

/**
 * Σ v² with |v| = h · 2^12 + l, as Σ h², Σ h·l and Σ l² in int64, for v = q or v = q − z, where z is the matrix's last row.
 *
 * |q − z| ≤ 2^25 − 2, so h ≤ 8 191, and 64 · 8 191² < 2^32: a thread's sums fit uint32. They are handed over in halves, whose sums over a
 * workgroup stay below 2^22.
 */
export function normsShader(centred: boolean): string {
  return /* wgsl */ `${HEAD}${MATRIX}
@group(0) @binding(2) var<storage, read_write> totals: array<atomic<u32>>;
var<workgroup> halves: array<atomic<u32>, ${2 * NORM_SUMS}>;
${ADD_64}
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let k = group.y;
  let stop = min(tileCount(), (group.x + 1u) * ${NORM_COORDINATES}u);
  var sums = vec3u(0u);
  for (var j = group.x * ${NORM_COORDINATES}u + thread; j < stop; j += ${WORKGROUP}u) {
    let v = u32(abs(valueAt(k, j)${centred ? " - valueAt(rows() - 1u, j)" : ""}));
    let h = v >> 12u;
    let l = v & 4095u;
    sums += vec3u(h * h, h * l, l * l);
  }
  for (var s = 0u; s < ${NORM_SUMS}u; s++) {
    atomicAdd(&halves[2u * s], sums[s] & 65535u);
    atomicAdd(&halves[2u * s + 1u], sums[s] >> 16u);
  }
  workgroupBarrier();
  if (thread < ${NORM_SUMS}u) {
    let low = atomicLoad(&halves[2u * thread]);
    let high = atomicLoad(&halves[2u * thread + 1u]) + (low >> 16u);
    add64(2u * (k * ${NORM_SUMS}u + thread), (high << 16u) | (low & 65535u), high >> 16u);
  }
}`;
}
