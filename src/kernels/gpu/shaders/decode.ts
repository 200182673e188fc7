// SPDX-License-Identifier: Apache-2.0
import { DESCRIPTOR_WORDS, HEAD_WORDS } from "../payload.ts";
import { FOUR_VALUES, HEAD, SPARSE, WORKGROUP } from "./payload.ts";

/** Writes the rows of the matrix; those of sparse updates become 0. */
export const DECODE_SHADER = /* wgsl */ `${HEAD}${FOUR_VALUES}
@group(0) @binding(2) var<storage, read_write> decoded: array<vec4i>;

@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let fours = stride() / 4u;
  let k = id.y;
  for (var g = id.x; g < fours; g += groups.x * ${WORKGROUP}u) {
    var q = vec4i(0);
    if (payload[descriptor(k)] < 3u) { q = fourAt(k, g); }
    decoded[k * fours + g] = q;
  }
}`;

/** Writes the entries of sparse updates into their rows. */
export const SCATTER_SHADER = /* wgsl */ `${HEAD}${SPARSE}
@group(0) @binding(2) var<storage, read_write> decoded: array<i32>;

@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = id.y;
  let d = ${HEAD_WORDS}u + k * ${DESCRIPTOR_WORDS}u;
  if (payload[d] != 3u) { return; }
  for (var i = id.x; i < sparseEntries(d); i += groups.x * ${WORKGROUP}u) {
    let entry = sparseEntry(d, i);
    decoded[k * stride() + entry.at] = entry.value;
  }
}`;
